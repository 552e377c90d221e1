class Network(Layers):
    """Images [batch, channels, height, width], normalized as `config["normalize"]` says, to logits of pixels."""

    def forward(self, x):
        double = lambda x, layer: [x := F.relu(self.conv_norm(x, f"{layer}.{part}")) for part in ["first", "second"]][1]
        skips = []
        for level in range(self.model["depth"]):
            skips.append(double(x, f"encoder.{level}"))
            x = F.max_pool2d(skips[-1], 2)
        x = double(x, "bottleneck")
        for index, skip in enumerate(reversed(skips)):
            up = f"decoder.{index}.upsample"
            x = F.conv_transpose2d(x, self.w(f"{up}.weight"), self.w(f"{up}.bias"), 2)
            x = double(torch.cat([skip, x], 1), f"decoder.{index}.convs")
        return self.conv(x, "output")
