class Network(Layers):
    """Images, normalized as `config["normalize"]` says, to boxes in pixels and scores of every cell."""

    def layer(self, x, name, stride=1, groups=1):
        return F.silu(self.conv_norm(x, name, stride, groups, 1e-3))

    def conv3x3(self, x, name, stride=1):
        if f"{name}.depthwise.conv.weight" not in self:
            return self.layer(x, f"{name}.conv", stride)
        return self.layer(self.layer(x, f"{name}.depthwise", stride, x.shape[1]), f"{name}.conv")

    def csp(self, x, name, residual=False):
        bypass, x, index = self.layer(x, f"{name}.bypass"), self.layer(x, f"{name}.main"), 0
        while f"{name}.blocks.{index}.reduce.conv.weight" in self:
            y = self.conv3x3(self.layer(x, f"{name}.blocks.{index}.reduce"), f"{name}.blocks.{index}.expand")
            x, index = x + y if residual else y, index + 1
        return self.layer(torch.cat([x, bypass], 1), f"{name}.join")

    def forward(self, x):
        up = lambda x: F.interpolate(x, scale_factor=2)
        x = torch.cat([x[..., r::2, c::2] for c in [0, 1] for r in [0, 1]], 1)
        x, maps = self.layer(x, "backbone.stem"), []
        for at in range(4):
            x = self.conv3x3(x, f"backbone.stages.{at}.down", 2)
            if at == 3:
                pools = [self.layer(x, "backbone.stages.3.pyramid.reduce")]
                for _ in range(3):
                    pools.append(F.max_pool2d(pools[-1], 5, 1, 2))
                x = self.layer(torch.cat(pools, 1), "backbone.stages.3.pyramid.join")
            x = self.csp(x, f"backbone.stages.{at}.csp", at < 3)
            maps.append(x)
        _, fine, middle, coarse = maps
        coarse = self.layer(coarse, "neck.lateral.0")
        middle = self.layer(self.csp(torch.cat([up(coarse), middle], 1), "neck.up.0"), "neck.lateral.1")
        fine = self.csp(torch.cat([up(middle), fine], 1), "neck.up.1")
        middle = self.csp(torch.cat([self.conv3x3(fine, "neck.down.0", 2), middle], 1), "neck.out.0")
        coarse = self.csp(torch.cat([self.conv3x3(middle, "neck.down.1", 2), coarse], 1), "neck.out.1")
        boxes, scores = [], []
        for at, (x, stride) in enumerate([(fine, 8), (middle, 16), (coarse, 32)]):
            level = f"head.levels.{at}"
            x = self.layer(x, f"{level}.stem")
            part = lambda name: self.conv3x3(self.conv3x3(x, f"{level}.{name}.0"), f"{level}.{name}.1")
            box = part("box_convs")
            raw, cls, obj = [cells(self.conv(m, f"{level}.{n}")) for m, n in
                             [(box, "boxes"), (part("class_convs"), "classes"), (box, "objectness")]]
            center, half = (raw[..., :2] + positions(box)) * stride, raw[..., 2:].clamp(max=10).exp() * stride / 2
            boxes.append(torch.cat([center - half, center + half], 2))
            scores.append(cls.sigmoid() * obj.sigmoid())
        return torch.cat(boxes, 1), torch.cat(scores, 1)
