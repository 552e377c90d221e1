class Network(MobileStages):
    """Images [batch, channels, height, width], normalized as `config["normalize"]` says, to logits."""

    def forward(self, x):
        epsilon, turned = self.model["norm_epsilon"], self.model["padding"] == "same"
        acts = [F.relu] * 2 + [F.hardswish] * 3
        maps = self.stages(x, [2, 2, 2, 1, 2], F.hardswish, acts, epsilon, turned)
        x = self.layer(maps[-1], "head", 1, F.hardswish, epsilon)
        return self.linear(F.hardswish(self.linear(x.mean((2, 3)), "hidden")), "output")
