class Network(Layers):
    """Observations [batch, values] to the expected return of each action, or to the scores or means of actions."""

    def dense(self, x, layer):
        if f"{layer}.Plain.weight" in self:
            return self.linear(x, f"{layer}.Plain")
        return x @ self.w(f"{layer}.Noisy.weight") + self.w(f"{layer}.Noisy.bias")

    def head(self, x, layer):
        if any(name.startswith(f"{layer}/hidden") for name in self.weights):
            x = self.activation(self.dense(x, f"{layer}.hidden"), self.model["activation"])
        return self.dense(x, f"{layer}.output")

    def forward(self, x):
        m = self.model
        if m["kind"] == "actor-critic":
            x = self.linear(x, "actor.0")
            for index in range(1, len(m["hidden"]) + 1):
                x = self.linear(self.activation(x, m["activation"]), f"actor.{index}")
            return x
        index = 0
        while any(name.startswith(f"trunk/{index}/") for name in self.weights):
            x, index = self.activation(self.dense(x, f"trunk.{index}"), m["activation"]), index + 1
        q = self.head(x, "advantage").unflatten(1, (m["n_actions"], m["n_atoms"]))
        q = q - q.mean(1, True) + self.head(x, "value")[:, None] if m["dueling"] else q
        if m["n_atoms"] == 1:
            return q[..., 0]
        return (q.softmax(2) * torch.linspace(m["v_min"], m["v_max"], m["n_atoms"])).sum(2)
