import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing
import Transformer
import WeightPatch

@testable import Adapters

/// Adapters whose modules are apart where the base has them in one, and the other way round.
@Suite struct ModulePlacementTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Factors as the test's PEFT folder has them, by the module's name.
  private typealias Factors = [String: (left: Matrix<Float>, right: Matrix<Float>)]

  private func read(
    _ factors: Factors, for base: AdapterBase, _ configuration: [String: JSON] = [:]
  ) throws -> LowRankAdapter {
    var tensors: [String: (Shape, [Float])] = [:]
    for (module, (left, right)) in factors {
      tensors["base_model.model.\(module).lora_A.weight"] = ([right.rows, right.columns], right.elements)
      tensors["base_model.model.\(module).lora_B.weight"] = ([left.rows, left.columns], left.elements)
    }
    try writePEFT(tensors, configuration, to: directory("lora"))
    return try AdapterFile.read(directory("lora"), for: base)
  }

  private func random(_ outputs: Int, _ inputs: Int, rank: Int, _ seed: UInt64) -> Factors.Value {
    var random = SeededGenerator(seed: seed)
    return (
      .random(rows: outputs, columns: rank, scale: 1, &random), .random(rows: rank, columns: inputs, scale: 1, &random)
    )
  }

  /// scale B A, in binary64, a row for each output.
  private func product(_ factors: Factors.Value, scale: Double) -> [[Double]] {
    let product = plainProduct(factors.left.widened(), factors.right.widened())
    return (0..<product.rows).map { row in (0..<product.columns).map { product[row, $0] * scale } }
  }

  private func rows(_ module: LowRankAdapter.Module) -> [[Double]] {
    let columns = module.target.inputSize
    let product = module.product
    return stride(from: 0, to: product.count, by: columns).map { Array(product[$0..<$0 + columns]) }
  }

  private func distance(_ rows: [[Double]], _ others: [[Double]]) -> Double {
    zip(rows, others).flatMap { zip($0, $1).map { abs($0 - $1) } }.max() ?? 0
  }

  /// Each part's change is found in the rows that the model computes the part in; all others stay.
  @Test(arguments: ["phi3", "gptneox", "gpt2", "codegen", "falcon_new"])
  func putsPartsIntoOneMap(_ family: String) throws {
    let base = try AdapterBase.golden(family)
    let target = try #require(base.targets.first { $0.layer == 1 && $0.role == .queryKeyValue })
    let parent = target.module.split(separator: ".").dropLast().joined(separator: ".")
    func size(_ role: Architecture.MapRole) -> Int {
      base.architecture.outputs(of: role, inFusedMapOf: 1)!.reduce(0) { $0 + $1.count }
    }
    let query = random(size(.query), target.inputSize, rank: 2, 1)
    let value = random(size(.value), target.inputSize, rank: 2, 2)
    let adapter = try read(["\(parent).q_proj": query, "\(parent).v_proj": value], for: base)
    #expect(adapter.modules.map(\.target.tensor) == [target.tensor])
    let module = adapter.modules[0]
    #expect(module.rank == 4 && module.scale == 2 && module.readingError == 0)
    let changed = rows(module)
    var untouched = Set(0..<target.outputSize)
    for (role, factors) in [(Architecture.MapRole.query, query), (.value, value)] {
      let outputs = Array(base.architecture.outputs(of: role, inFusedMapOf: 1)!.joined())
      untouched.subtract(outputs)
      #expect(distance(outputs.map { changed[$0] }, product(factors, scale: 2)) < 1e-12)
    }
    #expect(untouched.count == size(.key) && untouched.allSatisfy { row in changed[row].allSatisfy { $0 == 0 } })
  }

  @Test func takesOneMapApart() throws {
    let base = try AdapterBase.golden("llama_tied")
    let targets = [Architecture.MapRole.query, .key, .value].map { role in
      base.targets.first { $0.layer == 0 && $0.role == role }!
    }
    let factors = random(targets.reduce(0) { $0 + $1.outputSize }, targets[0].inputSize, rank: 2, 3)
    let adapter = try read(["model.layers.0.self_attn.qkv_proj": factors], for: base)
    #expect(adapter.modules.map(\.target.tensor) == targets.map(\.tensor))
    #expect(adapter.modules.flatMap(rows) == product(factors, scale: 2))
  }

  /// What was one adapter of one map comes back with its rank: equal right factors are one.
  @Test func sharesTermsOfGateAndUp() throws {
    let base = try AdapterBase.golden("phi3")
    let target = try #require(base.targets.first { $0.layer == 0 && $0.role == .gateUp })
    let whole = random(target.outputSize, target.inputSize, rank: 2, 4)
    let half = target.outputSize / 2
    let parts = [("gate_proj", 0..<half), ("up_proj", half..<target.outputSize)].map { name, range in
      ("model.layers.0.mlp.\(name)", (left: whole.left.rows(at: Array(range)), right: whole.right))
    }
    let adapter = try read(Dictionary(uniqueKeysWithValues: parts), for: base)
    #expect(adapter.modules.map(\.rank) == [2] && rows(adapter.modules[0]) == product(whole, scale: 2))
  }

  /// Parts with scales of their own get one: a power of two exactly, another with its rounding said.
  @Test(arguments: [(8.0, true), (7.0, false)]) func bringsScalesTogether(_ alpha: Double, _ isExact: Bool) throws {
    let base = try AdapterBase.golden("phi3")
    let target = try #require(base.targets.first { $0.layer == 0 && $0.role == .gateUp })
    let half = target.outputSize / 2
    let (gate, up) = (random(half, target.inputSize, rank: 2, 5), random(half, target.inputSize, rank: 2, 6))
    let adapter = try read(
      ["model.layers.0.mlp.gate_proj": gate, "model.layers.0.mlp.up_proj": up], for: base,
      ["alpha_pattern": ["up_proj": .double(alpha)]])
    let module = adapter.modules[0]
    let expected = product(gate, scale: 2) + product(up, scale: alpha / 2)
    let largest = expected.flatMap { $0.map(abs) }.max()!
    #expect(distance(rows(module), expected) <= (isExact ? 1e-14 : 1e-6) * largest)
    #expect(isExact ? module.readingError == 0 : module.readingError > 0 && module.readingError < 1e-7)
  }

  @Test func refusesAPartThatIsThereTwice() throws {
    let base = try AdapterBase.golden("llama_tied")
    let target = base.targets.first { $0.layer == 0 && $0.role == .gate }!
    let factors: Factors = [
      "model.layers.0.mlp.gate_proj": random(target.outputSize, target.inputSize, rank: 1, 7),
      "model.layers.0.mlp.gate_up_proj": random(2 * target.outputSize, target.inputSize, rank: 1, 8),
    ]
    let path = directory("lora/adapter_model.safetensors")
    #expect(throws: ErrataError.adapterModuleTwice(path, "model.layers.0.mlp.gate_up_proj")) {
      try read(factors, for: base)
    }
  }
}
