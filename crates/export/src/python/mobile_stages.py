class MobileStages(Layers):
    def layer(self, x, name, stride, act, epsilon):
        groups = x.shape[1] if name.endswith("depthwise") else 1
        return act(self.conv_norm(x, name, stride, groups, epsilon))

    def stages(self, x, strides, stem_act, acts, epsilon, turned, prefix=""):
        # TensorFlow's padding: the network sees images turned by 180 degrees.
        x = x.flip((2, 3)) if turned else x
        x = self.layer(x, f"{prefix}stem", 2, stem_act, epsilon)
        maps = []
        for stage, (first, act) in enumerate(zip(strides, acts)):
            index = 0
            while f"{prefix}stages.{stage}.{index}.projection.conv.weight" in self:
                name, stride, y = f"{prefix}stages.{stage}.{index}", first if index == 0 else 1, x
                if f"{name}.expansion.conv.weight" in self:
                    y = self.layer(y, f"{name}.expansion", 1, act, epsilon)
                y = self.layer(y, f"{name}.depthwise", stride, act, epsilon)
                if f"{name}.squeeze.reduce.weight" in self:
                    gate = F.relu(self.linear(y.mean((2, 3)), f"{name}.squeeze.reduce"))
                    y = y * F.hardsigmoid(self.linear(gate, f"{name}.squeeze.expand"))[..., None, None]
                y = self.layer(y, f"{name}.projection", 1, nn.Identity(), epsilon)
                x = x + y if stride == 1 and x.shape == y.shape else y
                index += 1
            if index == 0:
                break
            maps.append(x)
        return maps
