class ResNetStages(Layers):
    def stages(self, x, large, bottleneck, blocks, prefix=""):
        x = F.relu(self.conv_norm(x, f"{prefix}stem", 2 if large else 1))
        x = F.max_pool2d(x, 3, 2, 1) if large else x
        maps = []
        for stage, count in enumerate(blocks):
            for index in range(count):
                layer, stride = f"{prefix}stages.{stage}.{index}", 2 if stage > 0 and index == 0 else 1
                y = x
                for conv, s in enumerate([1, stride, 1] if bottleneck else [stride, 1]):
                    y = self.conv_norm(F.relu(y) if conv else y, f"{layer}.convs.{conv}", s)
                shortcut = f"{layer}.shortcut"
                residual = self.conv_norm(x, shortcut, stride) if f"{shortcut}.conv.weight" in self else x
                x = F.relu(y + residual)
            maps.append(x)
        return maps
