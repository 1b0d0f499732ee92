"""Golden vectors of the dense model families, from tiny, randomly initialised Hugging Face models (one folder each).

    python make_golden_families.py [OUT=families] [NAME ...]

Each folder holds config.json, model.safetensors (float32) and golden.safetensors/golden.json, as tiny/ does:
  seqS.ids, seqS.logits [T, vocab], seqS.embed [T, d], seqS.hidden.L [T, d] (residual stream after decoder layer L, before the
  final norm), seqS.key.L [T, d_ff] (the input of the down projection of layer L), seqS.delta [d], seqS.grad0, seqS.grad,
  seqS.gradkl [d] (delta added to the output of decoder layer 1 at `pos`).
The variants behind the families have what no default has. Made with transformers 5.24. Falcon's ALiBi with the attention that
transformers uses by default: its "eager" one adds the bias twice.
"""
import json, os, sys, traceback
import torch
from safetensors.torch import save_file
import transformers as tf

OUT = sys.argv[1] if len(sys.argv) > 1 else "families"
ONLY = set(sys.argv[2:])
V, D, FF, L = 160, 32, 56, 4
base = dict(vocab_size=V, hidden_size=D, intermediate_size=FF, num_hidden_layers=L, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0)
def c(**k): return {**base, **k}
T = dict(rope_type="default", rope_theta=10000.0)
M, G = "model.layers", "mlp.down_proj"
CASES = {
 "gemma3_text": lambda: (tf.Gemma3ForCausalLM, tf.Gemma3TextConfig(**c(head_dim=12, query_pre_attn_scalar=12, sliding_window=4,
     layer_types=["sliding_attention","sliding_attention","full_attention","sliding_attention"], tie_word_embeddings=True)), M, G),
 "gemma3": lambda: (tf.Gemma3ForConditionalGeneration, tf.Gemma3Config(text_config=c(head_dim=12, query_pre_attn_scalar=12, sliding_window=4,
     layer_types=["sliding_attention","sliding_attention","full_attention","sliding_attention"], tie_word_embeddings=True),
     vision_config=dict(hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14), mm_tokens_per_image=4), "model.language_model.layers", G),
 "gemma4_text": lambda: (tf.Gemma4ForCausalLM, tf.Gemma4TextConfig(**c(head_dim=8, sliding_window=4, vocab_size_per_layer_input=V, hidden_size_per_layer_input=8,
     layer_types=["sliding_attention","sliding_attention","sliding_attention","full_attention"], per_layer_config={"03": {"head_dim": 16}})), M, G),
 "olmo": lambda: (tf.OlmoForCausalLM, tf.OlmoConfig(**c(tie_word_embeddings=False, clip_qkv=None)), M, G),
 "olmo2": lambda: (tf.Olmo2ForCausalLM, tf.Olmo2Config(**c(tie_word_embeddings=False)), M, G),
 "olmo3": lambda: (tf.Olmo3ForCausalLM, tf.Olmo3Config(**c(tie_word_embeddings=False, sliding_window=4,
     layer_types=["sliding_attention","sliding_attention","sliding_attention","full_attention"])), M, G),
 "smollm3": lambda: (tf.SmolLM3ForCausalLM, tf.SmolLM3Config(**c(tie_word_embeddings=True, no_rope_layers=[1,1,1,0])), M, G),
 "granite": lambda: (tf.GraniteForCausalLM, tf.GraniteConfig(**c(tie_word_embeddings=True, embedding_multiplier=3.0, logits_scaling=2.0,
     residual_multiplier=0.5, attention_multiplier=0.2)), M, G),
 "cohere": lambda: (tf.CohereForCausalLM, tf.CohereConfig(**c(logit_scale=0.25, use_qk_norm=False)), M, G),
 "cohere2": lambda: (tf.Cohere2ForCausalLM, tf.Cohere2Config(**c(logit_scale=0.25, sliding_window=4,
     layer_types=["sliding_attention","sliding_attention","sliding_attention","full_attention"])), M, G),
 "stablelm": lambda: (tf.StableLmForCausalLM, tf.StableLmConfig(**c(tie_word_embeddings=False, use_qkv_bias=True)), M, G),
 "phi": lambda: (tf.PhiForCausalLM, tf.PhiConfig(**c(tie_word_embeddings=False)), M, "mlp.fc2"),
 "falcon": lambda: (tf.FalconForCausalLM, tf.FalconConfig(vocab_size=V, hidden_size=D, num_hidden_layers=L, num_attention_heads=4, multi_query=True,
     parallel_attn=True, new_decoder_architecture=False, bias=False, alibi=False, ffn_hidden_size=FF, bos_token_id=1, eos_token_id=2), "transformer.h", "mlp.dense_4h_to_h"),
 "falcon_new": lambda: (tf.FalconForCausalLM, tf.FalconConfig(vocab_size=V, hidden_size=D, num_hidden_layers=L, num_attention_heads=4, num_kv_heads=2,
     new_decoder_architecture=True, bias=False, alibi=False, ffn_hidden_size=FF, bos_token_id=1, eos_token_id=2), "transformer.h", "mlp.dense_4h_to_h"),
 "opt": lambda: (tf.OPTForCausalLM, tf.OPTConfig(vocab_size=V, hidden_size=D, ffn_dim=FF, num_hidden_layers=L, num_attention_heads=4,
     max_position_embeddings=64, word_embed_proj_dim=D, do_layer_norm_before=True, dropout=0.0, pad_token_id=0, bos_token_id=1, eos_token_id=2), "model.decoder.layers", "fc2"),
 "bloom": lambda: (tf.BloomForCausalLM, tf.BloomConfig(vocab_size=V, hidden_size=D, n_layer=L, n_head=4, hidden_dropout=0.0, attention_dropout=0.0, bos_token_id=1, eos_token_id=2), "transformer.h", "mlp.dense_4h_to_h"),
 "starcoder2": lambda: (tf.Starcoder2ForCausalLM, tf.Starcoder2Config(**c(sliding_window=None, tie_word_embeddings=True)), M, "mlp.c_proj"),
 "gpt_bigcode": lambda: (tf.GPTBigCodeForCausalLM, tf.GPTBigCodeConfig(vocab_size=V, n_positions=64, n_embd=D, n_layer=L, n_head=4, n_inner=FF, multi_query=True, bos_token_id=1, eos_token_id=2), "transformer.h", "mlp.c_proj"),
 "gpt_neo": lambda: (tf.GPTNeoForCausalLM, tf.GPTNeoConfig(vocab_size=V, max_position_embeddings=64, hidden_size=D, num_layers=L, num_heads=4, intermediate_size=FF, window_size=4,
     attention_types=[[["global","local"],2]], bos_token_id=1, eos_token_id=2), "transformer.h", "mlp.c_proj"),
 "codegen": lambda: (tf.CodeGenForCausalLM, tf.CodeGenConfig(vocab_size=V, n_positions=64, n_ctx=64, n_embd=D, n_layer=L, n_head=4, rotary_dim=4, n_inner=FF, bos_token_id=1, eos_token_id=2, tie_word_embeddings=False), "transformer.h", "mlp.fc_out"),
 "glm": lambda: (tf.GlmForCausalLM, tf.GlmConfig(**c(head_dim=8, tie_word_embeddings=False)), M, G),
 "glm4": lambda: (tf.Glm4ForCausalLM, tf.Glm4Config(**c(head_dim=8, tie_word_embeddings=False)), M, G),
 "ernie4_5": lambda: (tf.Ernie4_5ForCausalLM, tf.Ernie4_5Config(**c(head_dim=8)), M, G),
 "nemotron": lambda: (tf.NemotronForCausalLM, tf.NemotronConfig(**c(head_dim=8, tie_word_embeddings=False)), M, G),
 "exaone4": lambda: (tf.Exaone4ForCausalLM, tf.Exaone4Config(**c(sliding_window=4, layer_types=["sliding_attention","sliding_attention","sliding_attention","full_attention"])), M, G),
 "helium": lambda: (tf.HeliumForCausalLM, tf.HeliumConfig(**c(head_dim=8)), M, G),
 "arcee": lambda: (tf.ArceeForCausalLM, tf.ArceeConfig(**c()), M, G),
 "apertus": lambda: (tf.ApertusForCausalLM, tf.ApertusConfig(**c(tie_word_embeddings=False)), M, G),
 "seed_oss": lambda: (tf.SeedOssForCausalLM, tf.SeedOssConfig(**c(head_dim=8, attention_bias=True)), M, G),
 "hunyuan_v1_dense": lambda: (tf.HunYuanDenseV1ForCausalLM, tf.HunYuanDenseV1Config(**c(head_dim=8)), M, G),
 "ministral": lambda: (tf.MinistralForCausalLM, tf.MinistralConfig(**c(head_dim=8, sliding_window=4, rope_parameters=dict(rope_type="default", rope_theta=10000.0), layer_types=["sliding_attention","full_attention"]*2)), M, G),
 "ministral3": lambda: (tf.Ministral3ForCausalLM, tf.Ministral3Config(**c(head_dim=8)), M, G),
 "mistral3": lambda: (tf.Mistral3ForConditionalGeneration, tf.Mistral3Config(text_config=tf.MistralConfig(**c(head_dim=8, sliding_window=None)),
     vision_config=dict(model_type="pixtral", hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)), "model.language_model.layers", G),
 "qwen2_5_vl": lambda: (tf.Qwen2_5_VLForConditionalGeneration, tf.Qwen2_5_VLConfig(text_config=c(rope_parameters=dict(rope_type="default", rope_theta=10000.0, mrope_section=[1,1,2])),
     vision_config=dict(depth=1, hidden_size=16, intermediate_size=24, num_heads=2, out_hidden_size=D)), "model.language_model.layers", G),
 "qwen3_vl": lambda: (tf.Qwen3VLForConditionalGeneration, tf.Qwen3VLConfig(text_config=c(head_dim=8, rope_parameters=dict(rope_type="default", rope_theta=10000.0, mrope_section=[2,1,1])),
     vision_config=dict(depth=1, hidden_size=16, intermediate_size=24, num_heads=2, out_hidden_size=D, deepstack_visual_indexes=[0])), "model.language_model.layers", G),
}

S, F = "sliding_attention", "full_attention"
fal=dict(vocab_size=V,hidden_size=D,num_hidden_layers=L,num_attention_heads=4,ffn_hidden_size=FF,bos_token_id=1,eos_token_id=2)
FL=("transformer.h","mlp.dense_4h_to_h")
opt=dict(vocab_size=V,hidden_size=D,ffn_dim=FF,num_hidden_layers=L,num_attention_heads=4,max_position_embeddings=64,dropout=0.0,pad_token_id=0,bos_token_id=1,eos_token_id=2)
OL=("model.decoder.layers","fc2")
BL=("transformer.h","mlp.dense_4h_to_h")
GB=("transformer.h","mlp.c_proj")
gb=dict(vocab_size=V,n_positions=64,n_embd=D,n_layer=L,n_head=4,bos_token_id=1,eos_token_id=2)
def variant(name, family, layers=M, down=G, conf=None, raw=None, **fields):
    def build():
        configuration = getattr(tf, conf or family + "Config")
        return getattr(tf, family + "ForCausalLM"), configuration(**(raw if raw is not None else c(**fields))), layers, down
    CASES[name] = build
variant("gemma4_text_plain","Gemma4",conf="Gemma4TextConfig",head_dim=8,sliding_window=4,hidden_size_per_layer_input=0,num_global_key_value_heads=1,global_head_dim=16,attention_k_eq_v=True,final_logit_softcapping=5.0,layer_types=[S,S,S,F])
variant("gemma4_text_wide","Gemma4",conf="Gemma4TextConfig",head_dim=8,sliding_window=4,vocab_size_per_layer_input=V,hidden_size_per_layer_input=8,num_kv_shared_layers=2,use_double_wide_mlp=True,layer_types=[S,F,S,F],global_head_dim=8,attention_bias=True)
variant("olmo_clip","Olmo",clip_qkv=0.5,attention_bias=True,tie_word_embeddings=True,num_key_value_heads=4)
variant("cohere_norm","Cohere",logit_scale=0.5,use_qk_norm=True,attention_bias=True,rope_parameters=dict(rope_type="linear",rope_theta=10000.0,factor=2.0))
variant("stablelm_parallel","StableLm",use_parallel_residual=True,qk_layernorm=True,use_qkv_bias=False,tie_word_embeddings=True,partial_rotary_factor=0.5)
variant("falcon_rw","Falcon",*FL,raw=dict(**fal,multi_query=False,parallel_attn=False,new_decoder_architecture=False,bias=True,alibi=True))
variant("falcon_mha","Falcon",*FL,raw=dict(**fal,multi_query=False,parallel_attn=True,new_decoder_architecture=False,bias=True,alibi=False))
variant("opt_350m","OPT",*OL,raw=dict(**opt,word_embed_proj_dim=24,do_layer_norm_before=False))
variant("bloom_post","Bloom",*BL,raw=dict(vocab_size=V,hidden_size=D,n_layer=L,n_head=4,hidden_dropout=0.0,attention_dropout=0.0,bos_token_id=1,eos_token_id=2,apply_residual_connection_post_layernorm=True))
variant("bigcode_mha","GPTBigCode",*GB,raw=dict(**gb,multi_query=False,n_inner=None,activation_function="gelu",scale_attn_weights=False,tie_word_embeddings=False))
variant("hunyuan_alpha","HunYuanDenseV1",head_dim=12,attention_bias=True,tie_word_embeddings=True,rope_parameters=dict(rope_type="dynamic",rope_theta=10000.0,alpha=1000.0,factor=1.0))
variant("ministral3_scale","Ministral3",head_dim=8,sliding_window=5,tie_word_embeddings=True,rope_parameters=dict(rope_type="yarn",rope_theta=1e4,factor=4.0,original_max_position_embeddings=4,llama_4_scaling_beta=0.3,beta_fast=32.0,beta_slow=1.0,mscale=1.0,mscale_all_dim=1.0))

SEEDS = {'gemma3_text': 0, 'gemma3': 1, 'gemma4_text': 2, 'olmo': 3, 'olmo2': 4, 'olmo3': 5, 'smollm3': 6, 'granite': 7, 'cohere': 8, 'cohere2': 9, 'stablelm': 10, 'phi': 11, 'falcon': 12, 'falcon_new': 13, 'opt': 14, 'bloom': 15, 'starcoder2': 16, 'gpt_bigcode': 17, 'gpt_neo': 18, 'codegen': 19, 'glm': 20, 'glm4': 21, 'ernie4_5': 22, 'nemotron': 23, 'exaone4': 24, 'helium': 25, 'arcee': 26, 'apertus': 27, 'seed_oss': 28, 'hunyuan_v1_dense': 29, 'ministral': 30, 'ministral3': 31, 'mistral3': 32, 'qwen2_5_vl': 33, 'qwen3_vl': 34, 'gemma4_text_plain': 102, 'gemma4_text_wide': 104, 'olmo_clip': 105, 'cohere_norm': 110, 'stablelm_parallel': 112, 'falcon_rw': 114, 'falcon_mha': 115, 'opt_350m': 119, 'bloom_post': 122, 'bigcode_mha': 125, 'hunyuan_alpha': 139, 'ministral3_scale': 141}

def first(x): return x[0] if isinstance(x, tuple) else x
def sub(model, path):
    for p in path.split("."): model = getattr(model, p)
    return model

def make(ci, name, build):
    torch.manual_seed(1000 + ci)
    cls, cfg, lay, down = build()
    attention = "sdpa" if name == "falcon_rw" else "eager"
    cfg._attn_implementation = attention
    model = cls._from_config(cfg, attn_implementation=attention).float().eval() if hasattr(cls, "_from_config") else cls(cfg).float().eval()
    g = torch.Generator().manual_seed(2000 + ci)
    with torch.no_grad():
        for n, p in model.named_parameters():
            r = torch.randn(p.shape, generator=g)
            if p.dim() == 1 and n.endswith("weight"):
                p.copy_(0.1 * r + (0.0 if "gemma" in name or float(p.abs().max()) == 0 else 1.0))
            elif p.dim() == 1: p.copy_(p + 0.1 * r if p.abs().max() > 0 else 0.1 * r)
            elif "embed" in n or "wte" in n or "wpe" in n: p.copy_((0.5 if "gemma" not in name else 0.15) * r)
            elif p.dim() == 2 or p.dim() == 3: p.copy_(r * (1.3 / p.shape[-1] ** 0.5))
    model.requires_grad_(False)
    folder = os.path.join(OUT, name); os.makedirs(folder, exist_ok=True)
    model.config.architectures = [cls.__name__]
    model.save_pretrained(folder, safe_serialization=True)
    p = os.path.join(folder, "generation_config.json")
    if os.path.exists(p): os.remove(p)
    # The saved files are the truth: load them again.
    model = cls.from_pretrained(folder, attn_implementation=attention).float().eval(); model.requires_grad_(False)
    layers = sub(model, lay)
    T_all, J = {}, {"arch": cls.__name__, "layer_path": lay, "down_proj": down, "transformers": tf.__version__, "seqs": []}
    for s, n in enumerate((9, 12, 15)):
        ids = torch.randint(3, V, (1, n), generator=g)
        delta = 0.5 * torch.randn(D, generator=g)
        pos, nt = (2, 5, 7)[s], (1, 2, 3)[s]
        cap, hooks = {}, []
        hooks.append(layers[0].register_forward_pre_hook(lambda m, a, k: cap.__setitem__("embed", (a[0] if a else k["hidden_states"]).detach().clone()), with_kwargs=True))
        for l in range(L):
            hooks.append(layers[l].register_forward_hook(lambda m, i, o, l=l: cap.__setitem__(f"hidden.{l}", first(o).detach().clone())))
            module = sub(layers[l], down)
            hooks.append(module.register_forward_hook(lambda m, i, o, l=l: cap.__setitem__(f"key.{l}", i[0].detach().clone())))
        with torch.no_grad(): logits = model(input_ids=ids, use_cache=False).logits
        for h in hooks: h.remove()
        T_all[f"seq{s}.ids"] = ids[0].to(torch.int32); T_all[f"seq{s}.logits"] = logits[0].float().contiguous()
        for k, v in cap.items(): T_all[f"seq{s}.{k}"] = v.reshape(n, -1).float().contiguous()
        def run(d):
            def hook(m, i, o):
                h = first(o); add = torch.zeros_like(h).index_put((torch.tensor([0]), torch.tensor([pos])), d[None])
                return (h + add,) + tuple(o[1:]) if isinstance(o, tuple) else h + add
            hd = layers[1].register_forward_hook(hook); lg = model(input_ids=ids, use_cache=False).logits[0]; hd.remove()
            lp = torch.log_softmax(lg.float(), -1); rows = torch.arange(n - nt - 1, n - 1)
            return -lp[rows, ids[0, n - nt:]].mean(), lp[pos]
        def grad(value):
            d = value.clone().requires_grad_(True); nll, lp = run(d)
            (gn,) = torch.autograd.grad(nll, d, retain_graph=True)
            kl = (lp.exp() * (lp - torch.log_softmax(logits[0, pos].float(), -1))).sum()
            (gk,) = torch.autograd.grad(kl, d); return nll.item(), kl.item(), gn, gk
        n0, k0, g0, _ = grad(torch.zeros(D)); n1, k1, g1, gk = grad(delta)
        for k, v in (("delta", delta), ("grad0", g0), ("grad", g1), ("gradkl", gk)): T_all[f"seq{s}.{k}"] = v.contiguous()
        J["seqs"].append(dict(T=n, pos=pos, n_target=nt, nll0=n0, nll=n1, kl=k1, edit_layer=1))
    save_file(T_all, os.path.join(folder, "golden.safetensors"))
    json.dump(J, open(os.path.join(folder, "golden.json"), "w"), indent=1)
    sz = sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))
    print(name, sz // 1000, "kB", [round(x["nll0"], 3) for x in J["seqs"]], "logit std", round(logits.std().item(), 3), flush=True)

bad = 0
for name, build in CASES.items():
    if ONLY and name not in ONLY: continue
    try: make(SEEDS[name], name, build)
    except Exception as e:
        bad += 1; print(name, "FAILED", type(e).__name__, str(e)[:200], flush=True)
        if ONLY: traceback.print_exc()
print("failed:", bad)
