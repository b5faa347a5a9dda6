"""An Azure account as a Prefect block: kept by the Prefect server, loaded by name, keys encrypted.

`prefect block register --module flows.azure_batch_account` registers it; the UI's page Blocks has its form.
"""

from http import HTTPStatus

from prefect import get_client
from prefect.blocks.core import Block
from prefect.exceptions import PrefectHTTPStatusError
from pydantic import Field, SecretStr, ValidationError

from batch_tasks.clouds import cloud_of
from batch_tasks.errors import AccountError
from batch_tasks.settings import Account


class AzureBatchAccount(Block):
    """One Azure Batch account and the storage account beside it.

    Leave a key empty to sign in with Microsoft Entra ID.
    """

    _block_type_name = "Azure Batch Account"
    _block_type_slug = "azure-batch-account"
    _description = "A Batch account and its storage account. Without keys: sign in with Microsoft Entra ID."

    batch_account: str = Field(
        title="Batch account", description="Its name, as `az batch account list` shows it.", min_length=1
    )
    batch_endpoint: str = Field(
        title="Batch endpoint", description="https://<account>.<region>.batch.azure.com"
    )
    batch_key: SecretStr | None = Field(
        None, title="Batch key", description="Empty: sign in with Microsoft Entra ID."
    )
    storage_account: str = Field(
        title="Storage account", description="Where inputs and outputs are kept.", min_length=1
    )
    storage_key: SecretStr | None = Field(
        None, title="Storage key", description="Empty: sign in with Microsoft Entra ID."
    )
    blob_endpoint: str | None = Field(
        None,
        title="Blob endpoint",
        description="Empty: https://<account>.blob.core.windows.net, or its like in that cloud.",
    )
    subscription_id: str = Field(
        "",
        title="Subscription",
        description="Of the Batch account: for pools with an identity, and to have quotas compared.",
    )

    def account(self) -> Account:
        """The account in this block.

        Raises:
            AccountError: what was filled in is no account; the text names the field.
        """
        try:
            return Account(
                batch_endpoint=self.batch_endpoint,
                batch_account=self.batch_account,
                batch_key=_filled_in(self.batch_key),
                blob_endpoint=self.blob_endpoint
                or f"https://{self.storage_account}.{cloud_of(self.batch_endpoint).blobs}",
                storage_account=self.storage_account,
                storage_key=_filled_in(self.storage_key),
                subscription_id=self.subscription_id,
            )
        except ValidationError as error:
            reasons = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'account'}: {problem['msg']}"
                for problem in error.errors(include_input=False)
            )
            raise AccountError(f"The Azure Batch Account block cannot be used: {reasons}") from None

    @classmethod
    def account_named(cls, name: str) -> Account:
        """The account in the block called `name`.

        Raises:
            AccountError: there is no such block; the text says how to make one.
        """
        try:
            block = cls.load(name)
        except ValueError:
            raise AccountError(
                f"There is no Prefect block {name!r} of type Azure Batch Account. Register the type with "
                "`prefect block register --module flows.azure_batch_account`, then make a block of that name "
                "on the page Blocks of the Prefect UI. Other choices are 'environment' and 'local'."
            ) from None
        assert isinstance(block, cls)
        return block.account()

    @classmethod
    def names_saved(cls) -> list[str]:
        """The names of all such blocks of this Prefect server; [] where the type is not registered."""
        with get_client(sync_client=True) as client:
            try:
                found = client.read_block_documents_by_type(cls.get_block_type_slug(), include_secrets=False)
            except PrefectHTTPStatusError as error:
                if error.response.status_code == HTTPStatus.NOT_FOUND:
                    return []
                raise
        return sorted(block.name for block in found if block.name)


def _filled_in(secret: SecretStr | None) -> SecretStr | None:
    """Prefect's form sends an empty text for a field left alone."""
    return secret if secret and secret.get_secret_value() else None
