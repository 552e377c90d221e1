class Network(Features):
    """Scores [batch, members, outputs]; the prediction is the mean of the members' probabilities or numbers."""

    def forward(self, numeric, codes=None):
        x = self.features(numeric, codes)[None]
        x = x * self.w("scale")[:, None] if "scale" in self else x
        for block in range(self.model["n_blocks"]):
            adapters = [self.w(f"blocks.{block}.adapters.{part}") for part in ["r", "s", "bias"]]
            r, s, bias = [1 if part is None else part[:, None] for part in adapters]
            x = self.linear(x * r, f"blocks.{block}.linear")
            x = F.relu(x if adapters[0] is None else x * s + bias)
        return (x @ self.w("output.weight") + self.w("output.bias")[:, None]).transpose(0, 1)
