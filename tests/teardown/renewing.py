"""A flow of the product whose process asks for its slot of a limit every 15 s, and not only every 225."""

from prefect.concurrency import _leases

from flows.top_n_words import top_n_words

_leases._RENEWAL_FRACTION = 0.05  # of the 300 s for which Prefect grants a slot

renewing = top_n_words.with_options(name="renewing")
