import LinearAlgebra
import Tensors
import TestSupport
import WeightPatch

@testable import PatchAlgebra
@testable import SecondMomentStatistics

/// Patches whose facts are parts of one direct edit.
struct StackFixture {
  let directory: TemporaryDirectory
  let edit: DirectEdit
  static let lambda = 0.5
  static let baseDigest = Digest(of: [1])

  init(factCount: Int = 6) throws {
    try self.init(edit: DirectEdit(factCount: factCount))
  }

  init(edit: DirectEdit) throws {
    directory = try TemporaryDirectory()
    self.edit = edit
  }

  static func fact(_ number: Int, target: String = "new") -> Manifest.Fact {
    Manifest.Fact(
      subject: "Subject \(number)", prompt: "{} is", targetNew: target,
      outcome: Manifest.Outcome(steps: 3, loss: 0.5, probabilityBefore: 0.25, probabilityAfter: 0.75))
  }

  func path(_ name: String) -> String { directory(name + ".wpatch") }

  /// A patch of one batch that solves some of the edit's facts.
  func patch(
    _ name: String, _ facts: [Int], lambda: Double = lambda, tensor: ByteString = "w", keys: Bool = true,
    target: String = "new", change: (inout Manifest) -> Void = { _ in }
  ) throws -> PatchFile {
    let factors = try edit.factors(lambda: lambda, tensor, facts: facts, left: .f32, keys: keys)
    return try patch(
      name, [EditBatch(tensors: [factors])], facts: [facts.map { Self.fact($0, target: target) }], lambda: lambda,
      change: change)
  }

  /// A patch of batches with their facts.
  func patch(
    _ name: String, _ batches: [EditBatch], facts: [[Manifest.Fact]], lambda: Double = lambda,
    change: (inout Manifest) -> Void = { _ in }
  ) throws -> PatchFile {
    let base = Manifest.BaseTensor(
      dtype: .bf16, shape: [DirectEdit.outputSize, DirectEdit.inputSize], isTransposed: false, digest: Self.baseDigest)
    let names = Set(batches.flatMap { $0.tensors.map(\.name) })
    var manifest = Manifest(
      created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
      base: Manifest.Base(name: "base", tensors: Dictionary(uniqueKeysWithValues: names.map { ($0, base) })),
      result: Dictionary(uniqueKeysWithValues: names.map { ($0, Digest(of: [2])) }),
      batches: zip(batches, facts).map { batch, facts in
        Manifest.Batch(
          method: Manifest.Method(name: "emmet", lambda: lambda, alpha: lambda, secondMomentWeight: 1, layers: [0]),
          facts: facts, statistics: Manifest.Statistics(digest: Digest(of: [3]), tokenCount: 120),
          tensors: Dictionary(
            uniqueKeysWithValues: batch.tensors.map { ($0.name, Manifest.TensorFigures(layer: 0, weightNorm: 2)) }))
      }, author: "author of \(name)")
    change(&manifest)
    try PatchWriter.write(manifest, batches: batches, to: path(name))
    return try PatchFile(path: path(name))
  }

  /// The second moments of the edit, as `errata stats` writes them.
  func statistics(of matrix: Matrix<Double>? = nil, weight: Digest = baseDigest) throws -> SecondMoments {
    let path = directory("stats.safetensors")
    let origin = SecondMomentOrigin(
      model: "base", tokenizer: Digest(of: []), corpus: "text", corpusDigest: Digest(of: []), sequenceLength: 8,
      weights: [0: weight])
    try SecondMoments.write(
      [0: PackedTriangle(lowerTriangleOf: matrix ?? edit.secondMoment)], tokenCount: 1, outputPowers: [:],
      origin: origin, to: path)
    return try SecondMoments(contentsOf: path)
  }

  /// D at the keys of some facts, from stored factors.
  func effect(of batch: EditBatch, at facts: [Int], tensor: ByteString = "w") -> Matrix<Double> {
    let factors = batch.tensors.first { $0.name == tensor }!
    return factors.leftValues()!.widened().multiplied(by: factors.rightValues()!.widened())
      .multiplied(by: edit.keys(facts))
  }
}

extension StackedPatch {
  /// The patch, written and read again.
  func readBack(_ directory: TemporaryDirectory, author: String? = nil) throws -> PatchFile {
    let tool = Manifest.Tool(name: "tests", version: "1")
    try write(
      to: directory("to.wpatch"), origin: PatchOrigin(created: "2026-02-01T12:00:00Z", tool: tool, author: author))
    return try PatchFile(path: directory("to.wpatch"))
  }
}
