class Network(ResNetStages):
    """Images [batch, channels, height, width], normalized as `config["normalize"]` says, to logits."""

    def forward(self, x):
        m = self.model
        maps = self.stages(x, m["stem"] == "large", m["block"] == "bottleneck", m["blocks_per_stage"])
        return self.linear(maps[-1].mean((2, 3)), "output")
