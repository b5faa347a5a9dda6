"""Which Azure account a run uses: the one asked for, else the environment's, else a local stack."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from batch_tasks.errors import AccountError
from batch_tasks.settings import Account

LOCAL = "local"
ENVIRONMENT = "environment"


def where(name: str | None) -> str:
    """What `account_for(name)` will use, as words for people; looks at the environment only.

    Raises:
        AccountError: the environment names half an account, or none although `name` asks for it.
    """
    if name == LOCAL:
        return "a local stack (Azurite and the Batch emulator)"
    if name and name != ENVIRONMENT:
        return f"the account in the Prefect block {name!r}"
    account = Account.from_environment()
    if account is not None:
        return f"Batch account {account.batch_account!r} of the environment ({account.batch_endpoint})"
    if name == ENVIRONMENT:
        raise AccountError(
            "The environment names no Azure account. Set AZURE_BATCH_ACCOUNT, AZURE_BATCH_ENDPOINT and "
            "AZURE_STORAGE_ACCOUNT (and AZURE_BATCH_ACCESS_KEY, AZURE_STORAGE_KEY to sign in by key instead "
            "of Microsoft Entra ID). Or let `account` be the name of a Prefect block of type Azure Batch "
            f"Account, or {LOCAL!r}, which needs no account."
        )
    return f"{where(LOCAL)}: no Azure account is set"


def runs_locally(name: str | None) -> bool:
    """Whether `account_for(name)` will start a local stack."""
    return name == LOCAL or (not name and Account.from_environment() is None)


def accounts_known() -> list[str]:
    """The names of all accounts that runs may use: the environment's, where it is set, and those in blocks.

    Raises:
        AccountError: the environment names half an account.
    """
    from flows.azure_batch_account import AzureBatchAccount  # noqa: PLC0415

    known = [ENVIRONMENT] if Account.from_environment() else []
    return known + AzureBatchAccount.names_saved()


@contextmanager
def account_for(name: str | None, say: Callable[[str], None] | None = None) -> Iterator[Account]:
    """The account called `name`, for the length of a `with` block; a local stack runs as long.

    `name` is "" or None (the environment's account when it is set, else a local stack), "environment",
    "local" or the name of a Prefect block of type Azure Batch Account. Which it is goes to `say`, in one
    line; without `say` it goes to the log of the flow run.

    Raises:
        AccountError: the account is not set, half set, or there is no such block; the text says what to do.
        ServiceError: the local stack did not start.
    """
    (say or _log)(f"Running on {where(name)}")
    if name and name not in (LOCAL, ENVIRONMENT):
        yield _account_of_block(name)
        return
    if not runs_locally(name):
        account = Account.from_environment()
        assert account is not None  # where() has refused the rest
        yield account
        return
    # Only now: who has an account needs no local stack to be installed.
    from flows.local_stack import local_stack  # noqa: PLC0415

    with local_stack() as account:
        yield account


def _log(line: str) -> None:
    from prefect.logging import get_run_logger  # noqa: PLC0415

    get_run_logger().info(line)


def _account_of_block(name: str) -> Account:
    from flows.azure_batch_account import AzureBatchAccount  # noqa: PLC0415

    return AzureBatchAccount.account_named(name)
