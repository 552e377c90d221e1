class Features(Layers):
    """Rows as `config["encoder"]` encodes them: numbers [batch, n_numeric] and codes [batch, n_codes]."""

    def embedded_codes(self, codes, table):
        sizes = torch.tensor(self.config["sizes"]["cardinalities"])
        return F.embedding(codes + sizes.cumsum(0) - sizes, self.w(table))

    def embedded_numbers(self, x, prefix):
        e, x = self.config["features"]["numeric_embedding"], x.T[:, :, None]
        kind = "".join(part.capitalize() for part in e["kind"].split("-"))
        w = lambda name: self.w(f"{prefix}.{kind}.{name}")
        bins = "bins." if kind == "PiecewiseLinear" else ""
        if kind in ["Encoding", "PiecewiseLinear"]:
            slope = w(f"{bins}slope")
            low, high = torch.zeros_like(slope), torch.ones_like(slope)
            low[:, 0], high[:, -1] = -torch.inf, torch.inf
            low[:, -1][slope[:, 0] == 0] = -torch.inf
            encoded = ((x - w(f"{bins}left")[:, None]) * slope[:, None]).clamp(low[:, None], high[:, None])
            if kind == "Encoding":
                return encoded.transpose(0, 1)
            encoded = encoded @ w("weight")
            encoded = F.relu(encoded) if e["rectify"] else encoded
            x = encoded + x * w("linear.weight")[:, None] + w("linear.bias")[:, None]
        elif kind == "Periodic":
            angle = x * (2 * math.pi * w("frequency"))[:, None]
            x = F.relu(torch.cat([angle.cos(), angle.sin()], 2) @ w("weight") + w("bias")[:, None])
        elif kind != "None":
            x = x * w("weight")[:, None] + w("bias")[:, None]
            x = F.relu(x) if kind == "LinearRelu" else x
        return x.transpose(0, 1)

    def features(self, numeric, codes):
        parts = [] if numeric is None else [self.embedded_numbers(numeric, "features.numeric").flatten(1)]
        if codes is not None and "features.categorical.Learned.weight" in self:
            parts.append(self.embedded_codes(codes, "features.categorical.Learned.weight").flatten(1))
        elif codes is not None:
            sizes = self.config["sizes"]["cardinalities"]
            parts += [F.one_hot(code, size).float() for code, size in zip(codes.T, sizes)]
        return torch.cat(parts, 1)
