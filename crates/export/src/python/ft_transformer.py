class Network(Features):
    def forward(self, numeric, codes=None):
        rows = numeric if codes is None else codes
        parts = [self.w("cls").expand(len(rows), 1, -1)]
        parts += [] if numeric is None else [self.embedded_numbers(numeric, "numeric")]
        parts += [] if codes is None else [self.embedded_codes(codes, "categorical.weight")]
        x = torch.cat(parts, 1)
        for block in range(self.model["n_layers"]):
            name = f"blocks.{block}"
            keys = self.layer_norm(x, f"{name}.attention_norm") if f"{name}.attention_norm.weight" in self else x
            x = x + self.attention(keys, keys, f"{name}.attention", self.model["n_heads"])
            y = self.layer_norm(x, f"{name}.feed_forward_norm")
            y = self.linear(y, f"{name}.hidden") * F.relu(self.linear(y, f"{name}.gate"))
            x = x + self.linear(y, f"{name}.output")
        return self.linear(F.relu(self.layer_norm(x[:, 0], "norm")), "output")
