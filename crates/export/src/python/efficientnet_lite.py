class Network(MobileStages):
    """Images [batch, channels, height, width], normalized as `config["normalize"]` says, to logits."""

    def forward(self, x):
        epsilon, turned = self.model["norm_epsilon"], self.model["padding"] == "same"
        maps = self.stages(x, [1, 2, 2, 2, 1, 2, 1], F.relu6, [F.relu6] * 7, epsilon, turned)
        x = self.layer(maps[-1], "head", 1, F.relu6, epsilon)
        return self.linear(x.mean((2, 3)), "output")
