class Network(MobileStages, ResNetStages):
    """Images [batch, channels, height, width], normalized as `config["normalize"]` says, to logits of pixels."""

    def forward(self, x):
        kind = self.model["backbone"]
        if "resnet" in kind:
            blocks = [2, 2, 2, 2] if kind == "resnet18" else [3, 4, 6, 3]
            maps = ResNetStages.stages(self, x, True, kind == "resnet50", blocks, "backbone.ResNet.")
            skips = maps[2::-1]
        else:
            turned, prefix = kind.startswith("tf-"), "backbone.EfficientNetLite."
            strides, acts = [1, 2, 2, 2, 1, 2, 1], [F.relu6] * 7
            maps = MobileStages.stages(self, x, strides, F.relu6, acts, 1e-3 if turned else 1e-5, turned, prefix)
            maps = [map.flip((2, 3)) for map in maps] if turned else maps
            skips = [maps[stage] for stage in [4, 2, 1, 0]]
        x, size = maps[-1], x.shape[2:]
        for index in range(len(self.model["decoder_channels"])):
            x = F.interpolate(x, scale_factor=2)
            x = torch.cat([skips[index], x], 1) if index < len(skips) else x
            for part in ["first", "second"]:
                x = F.relu(self.conv_norm(x, f"decoder.{index}.{part}"))
        return F.interpolate(self.conv(x, "output"), size=size, mode="bilinear")
