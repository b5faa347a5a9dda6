"""What a run costs: a dated table of prices, an estimate before, node-seconds after, and a ceiling."""
