"""The switch in front of attention: to the bit transformers' own until a kernel is put in, per thread, undone after."""

import threading

import torch

from xllm_widgets.models import attending

IDS = torch.arange(12).view(2, 6)


def test_logits_are_those_of_the_fused_kernel_to_the_bit(any_lm):
    with torch.inference_mode():
        switched = any_lm.hf(input_ids=IDS, use_cache=False).logits
        if not any_lm.switches_attention:
            return
        any_lm.hf.set_attn_implementation("sdpa")
        try:
            stock = any_lm.hf(input_ids=IDS, use_cache=False).logits
        finally:
            any_lm.hf.set_attn_implementation(attending.NAME)
    assert torch.equal(switched, stock)


def test_every_family_that_takes_the_fused_kernel_can_be_switched(any_lm):
    fused = any_lm.hf.config._attn_implementation != "eager"  # transformers' own choice, for gemma2's soft caps
    assert any_lm.switches_attention == fused
    assert fused or any_lm.name == "tiny-gemma2"


def test_a_kernel_sees_every_block_and_may_decline(any_lm):
    if not any_lm.switches_attention:
        return
    seen = []

    def kernel(module, query, key, value, mask, **options):
        seen.append(module.layer_idx)

    with torch.inference_mode():
        plain = any_lm.hf(input_ids=IDS, use_cache=False).logits
        with attending.attention_by(kernel):
            watched = any_lm.hf(input_ids=IDS, use_cache=False).logits
    assert seen == list(range(any_lm.n_layers))
    assert torch.equal(plain, watched)


def test_a_kernel_acts_only_inside_its_block_and_its_thread(lm):
    def blind(module, query, key, value, mask, **options):
        return torch.zeros_like(query).transpose(1, 2)

    def run():
        with torch.inference_mode():
            return lm.hf(input_ids=IDS, use_cache=False).logits

    plain, elsewhere = run(), []
    with attending.attention_by(blind):
        thread = threading.Thread(target=lambda: elsewhere.append(run()))
        thread.start()
        thread.join()
        assert not torch.equal(run(), plain)
    assert torch.equal(run(), plain)
    assert torch.equal(elsewhere[0], plain)
