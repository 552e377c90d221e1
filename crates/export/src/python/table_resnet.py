class Network(Features):
    def forward(self, numeric, codes=None):
        x = self.linear(self.features(numeric, codes), "input")
        for block in range(self.model["n_blocks"]):
            y = self.linear(self.batch_norm(x, f"blocks.{block}.norm"), f"blocks.{block}.hidden")
            x = x + self.linear(F.relu(y), f"blocks.{block}.output")
        return self.linear(F.relu(self.batch_norm(x, "norm")), "output")
