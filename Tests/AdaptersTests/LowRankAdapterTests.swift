import Foundation
import LinearAlgebra
import Safetensors
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import Adapters

/// Names, orientation, and what becomes of factors on their way into a file.
@Suite struct LowRankAdapterTests {
  /// As transformers and llama.cpp name a layer's down-projection, whatever prefix the checkpoint's tensors have.
  @Test(arguments: [
    ("llama_tied", "model.layers.1.mlp.down_proj", "blk.1.ffn_down.weight"),
    ("gpt2", "transformer.h.1.mlp.c_proj", "blk.1.ffn_down.weight"),
    ("gptneox", "gpt_neox.layers.1.mlp.dense_4h_to_h", "blk.1.ffn_down.weight"),
    ("gemma3", "model.language_model.layers.1.mlp.down_proj", "blk.1.ffn_down.weight"),
    ("qwen2_5_vl", "model.language_model.layers.1.mlp.down_proj", "blk.1.ffn_down.weight"),
    ("falcon", "transformer.h.1.mlp.dense_4h_to_h", "blk.1.ffn_down.weight"),
    ("opt", "model.decoder.layers.1.fc2", nil), ("gptj", "transformer.h.1.mlp.fc_out", nil),
  ]) func namesAMap(_ family: String, module: String, gguf: String?) throws {
    let base = try AdapterBase.golden(family)
    let target = base.downProjection(1)
    #expect(target.module == module && target.ggufName == gguf)
    #expect(base.target(module: module)?.tensor == target.tensor && base.target(tensor: target.tensor) != nil)
  }

  /// Every family that is supported has a map in every layer, found again by its module's name.
  @Test(arguments: GoldenFamily.all) func knowsTheMapsOfEveryFamily(_ family: GoldenFamily) throws {
    let base = try AdapterBase(Checkpoint(path: family.path))
    #expect(Set(base.targets.filter { $0.role == .down }.map(\.layer)) == Set(0..<base.architecture.layerCount))
    for target in base.targets {
      #expect(base.target(module: target.module)?.position == target.position)
      #expect(target.isTransposed == (base.architecture.family == "gpt2"))
    }
    #expect(Set(base.targets.map(\.module)).count == base.targets.count)
  }

  /// A tower for images has layers too.
  @Test func isNotMistakenInTheTower() throws {
    let base = try AdapterBase.golden("gemma3")
    #expect(base.target(module: "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj") == nil)
    #expect(base.target(module: "model.layers.0.self_attn.q_proj")?.layer == 0)
    #expect(base.target(module: "model.language_model.layers.99.self_attn.q_proj") == nil)
  }

  /// Powers of two change no bit of the product.
  @Test func balancesWithoutRounding() throws {
    let base = try AdapterBase.golden("llama_tied")
    let adapter = base.randomAdapter(ranks: [(base.downProjection(0), 4)])
    let balanced = adapter.balanced
    #expect(balanced.modules[0].product == adapter.modules[0].product)
    let norms = (
      balanced.modules[0].left.widened().columnNorms(),
      balanced.modules[0].right.widened().transposed().columnNorms()
    )
    for (left, right) in zip(norms.0, norms.1) { #expect(left / right < 2.1 && right / left < 2.1) }
    #expect(balanced.differences(from: adapter) == [0])
  }

  /// One rank, and the same product.
  @Test func padsToOneRank() throws {
    let base = try AdapterBase.golden("llama_tied")
    let adapter = base.randomAdapter(ranks: [(base.downProjection(0), 1), (base.downProjection(1), 6)])
    let padded = adapter.padded
    #expect(padded.modules.map(\.rank) == [6, 6])
    for (before, after) in zip(adapter.modules, padded.modules) { #expect(before.product == after.product) }
    let covering = adapter.coveringAllLayers(of: base).padded
    #expect(covering.modules.count == base.architecture.layerCount)
    #expect(covering.modules.filter(\.isZero).count == base.architecture.layerCount - 2)
  }

  /// What narrow types cost is what it says, and float32 costs nothing.
  @Test(arguments: [(DType.f32, 0.0...0.0), (.f16, 1e-5...1e-3), (.bf16, 1e-4...1e-2)])
  func saysWhatRoundingCosts(_ dtype: DType, _ range: ClosedRange<Double>) throws {
    let base = try AdapterBase.golden("llama_tied")
    let adapter = base.randomAdapter(ranks: [(base.downProjection(0), 4)])
    let rounded = try adapter.balanced.rounded(to: dtype)
    let (exact, stored) = (adapter.modules[0].product, rounded.modules[0].product)
    let difference = zip(exact, stored).reduce(0.0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    let expected = difference / exact.reduce(0.0) { $0 + $1 * $1 }.squareRoot()
    let found = rounded.differences(from: adapter)[0]
    #expect(abs(found - expected) <= 1e-12 + 1e-9 * expected && range.contains(found))
  }

  @Test func refusesWhatATypeCannotHold() throws {
    let base = try AdapterBase.golden("llama_tied")
    let target = base.downProjection(0)
    var module = LowRankAdapter.Module(
      target: target, left: Matrix(rows: target.outputSize, columns: 1),
      right: Matrix(rows: 1, columns: target.inputSize))
    (module.left[0, 0], module.right[0, 0]) = (1e6, 1e6)
    #expect(
      throws: ErrataError(
        .general, "\"\(target.tensor)\": a value of its factors leaves the range of F16; store them as f32 or bf16")
    ) { try LowRankAdapter([module]).balanced.rounded(to: .f16) }
  }
}
