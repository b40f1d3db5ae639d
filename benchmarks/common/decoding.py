"""A decode loop with nothing but the arithmetic: what sampling would cost without transformers' layers."""

from typing import Any


class BareDecoder:
    """Samples from a Llama-shaped transformers model by its matrices alone; the prompt is attended in place."""

    def __init__(self, hf: Any) -> None:
        import torch

        self.hf, body = hf, hf.base_model
        self.heads = hf.config.num_attention_heads
        self.epsilon = hf.config.rms_norm_eps
        self.blocks = [
            {
                "before": block.input_layernorm.weight,
                "after": block.post_attention_layernorm.weight,
                "in": torch.cat([getattr(block.self_attn, f"{name}_proj").weight for name in "qkv"]),
                "out": block.self_attn.o_proj.weight,
                "up": torch.cat([block.mlp.gate_proj.weight, block.mlp.up_proj.weight]),
                "down": block.mlp.down_proj.weight,
            }
            for block in body.layers
        ]
        self.embeddings, self.norm, self.rotary = body.embed_tokens.weight, body.norm.weight, body.rotary_emb
        self.head = hf.lm_head.weight

    def sample(self, ids: list[int], n: int, new: int) -> Any:
        """Ids (n, new) and their log-probabilities, nats."""
        import torch

        with torch.inference_mode():
            hidden = self._read(ids, n, new)
            tokens = torch.empty(n, new, dtype=torch.long, device=hidden.device)
            logps = torch.empty(n, new, device=hidden.device)
            for t in range(new):
                logp = torch.nn.functional.linear(hidden, self.head).float().log_softmax(-1).expand(n, -1)
                noise = -torch.empty_like(logp).exponential_().log_()  # Gumbel: its maximum is a sample
                tokens[:, t] = (logp + noise).argmax(-1)
                logps[:, t] = logp.gather(1, tokens[:, t : t + 1])[:, 0]
                if t < new - 1:
                    hidden = self._step(self.embeddings[tokens[:, t]], t)
        return tokens, logps

    def _read(self, ids: list[int], n: int, new: int) -> Any:
        """Read the prompt; the last hidden state (1, width). Keys lie transposed, as the product wants them."""
        import torch
        from transformers import DynamicCache

        cache = DynamicCache(config=self.hf.config)
        where = {"device": self.hf.device}
        out = self.hf.base_model(torch.tensor([ids], **where), past_key_values=cache, use_cache=True).last_hidden_state
        self.prompt = [(x.keys[0].transpose(-1, -2).contiguous(), x.values[0]) for x in cache.layers]
        width = out.shape[-1] // self.heads
        room = (self.heads, n, new, width)
        self.own = [(out.new_empty(room), out.new_empty(room)) for _ in self.blocks]  # (head, row, token, width)
        places = torch.arange(len(ids), len(ids) + new, **where)[None]
        self.cos, self.sin = (x[0] for x in self.rotary(out, places))
        return out[:, -1]

    def _step(self, x: Any, t: int) -> Any:
        """One token a row through all blocks: (rows, width)."""
        import torch.nn.functional as F

        for block, prompt, own in zip(self.blocks, self.prompt, self.own, strict=True):
            y = F.rms_norm(x, x.shape[-1:], block["before"], self.epsilon)
            parts = F.linear(y, block["in"]).view(len(x), 3, self.heads, -1).permute(1, 2, 0, 3)
            x = x + F.linear(self._attend(*parts, prompt, own, t), block["out"])
            y = F.rms_norm(x, x.shape[-1:], block["after"], self.epsilon)
            gate, up = F.linear(y, block["up"]).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, block["down"])
        return F.rms_norm(x, x.shape[-1:], self.norm, self.epsilon)

    def _attend(self, q: Any, k: Any, v: Any, prompt: Any, own: Any, t: int) -> Any:
        """q, k, v: (heads, rows, head width) → (rows, width)."""
        import torch

        (keys, values), (own_keys, own_values) = prompt, own
        q, own_keys[:, :, t], own_values[:, :, t] = self._turn(q, t) * q.shape[-1] ** -0.5, self._turn(k, t), v
        mine = (own_keys[:, :, : t + 1] @ q.unsqueeze(-1)).squeeze(-1)
        weights = torch.cat([q @ keys, mine], -1).softmax(-1)
        length = keys.shape[-1]
        out = weights[..., :length] @ values + (weights[..., None, length:] @ own_values[:, :, : t + 1]).squeeze(-2)
        return out.transpose(0, 1).flatten(1)

    def _turn(self, x: Any, t: int) -> Any:
        """Rotary positions."""
        import torch

        a, b = x.chunk(2, -1)
        return x * self.cos[t] + torch.cat([-b, a], -1) * self.sin[t]
