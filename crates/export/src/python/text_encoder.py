class Network(Layers):
    """Ids and mask (1 for tokens, 0 for padding) of `tokenizer.json`, [batch, seq], to logits."""

    def forward(self, input_ids, attention_mask):
        x = F.embedding(input_ids, self.w("tokens.weight"))
        if self.model["positions"] == "learned":
            x = x + self.w("positions.weight")[: x.shape[1]]
        mask = attention_mask[:, None, None].bool()
        for index in range(self.model["n_layers"]):
            name = f"layers.{index}"
            y = self.layer_norm(x, f"{name}.attention_norm")
            x = x + self.attention(y, y, f"{name}.attention", self.model["n_heads"], mask)
            y = self.linear(self.layer_norm(x, f"{name}.feed_forward_norm"), f"{name}.feed_forward.up")
            x = x + self.linear(F.gelu(y), f"{name}.feed_forward.down")
        x = self.layer_norm(x, "norm")
        if self.config["task"] != "token-classification":
            weights = attention_mask[..., None] / attention_mask.sum(1)[:, None, None]
            x = x[:, 0] if self.model["pooling"] == "cls" else (x * weights).sum(1)
        return self.linear(x, "head")

    def positioned(self, q, k):
        if self.model["positions"] == "learned":
            return q, k
        seq, half = q.shape[2], q.shape[3] // 2
        angle = torch.outer(torch.arange(seq), 10_000 ** -(torch.arange(half) / half)).to(q)
        turn = lambda a, b: torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)
        return turn(*q.chunk(2, -1)), turn(*k.chunk(2, -1))
