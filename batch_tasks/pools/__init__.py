"""Where the nodes of a run come from: the four kinds of pool, and what all pools of ours have in them."""
