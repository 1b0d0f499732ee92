import LinearAlgebra
import Tensors
import TestSupport
import WeightPatch

@testable import PatchAlgebra

/// A random edit that is solved from K, C and R, as `errata edit` would.
struct DirectEdit {
  static let outputSize = 10
  static let inputSize = 40
  /// K, d_in x E.
  let keys: Matrix<Double>
  /// R, d_out x E.
  let residuals: Matrix<Double>
  /// C, d_in x d_in.
  let secondMoment: Matrix<Double>
  private let factor: Cholesky

  init(factCount: Int = 6, seed: UInt64 = 1) throws {
    var random = SeededGenerator(seed: seed)
    func matrix(_ rows: Int, _ columns: Int) -> Matrix<Double> {
      Matrix(rows: rows, columns: columns, elements: random.gaussians(rows * columns))
    }
    keys = matrix(Self.inputSize, factCount)
    residuals = matrix(Self.outputSize, factCount)
    let samples = matrix(3 * Self.inputSize, Self.inputSize)
    secondMoment = samples.multiplied(.transposed, by: samples)
    factor = try Cholesky(secondMoment)
  }

  /// A, B and G of some of the facts.
  func solved(
    lambda: Double, facts: [Int]
  ) throws -> (left: Matrix<Double>, right: Matrix<Double>, gram: Matrix<Double>) {
    let keys = keys(facts)
    let directions = factor.solve(keys)
    let gram = keys.multiplied(.transposed, by: directions)
    var system = gram
    for index in facts.indices { system[index, index] += lambda }
    let residuals = residuals.transposed().rows(at: facts).transposed()
    return (try Cholesky(system).solveRight(residuals), directions.transposed(), gram)
  }

  func keys(_ facts: [Int]) -> Matrix<Double> { keys.transposed().rows(at: facts).transposed() }

  /// D, d_out x d_in.
  func delta(lambda: Double, facts: [Int]) throws -> Matrix<Double> {
    let (left, right, _) = try solved(lambda: lambda, facts: facts)
    return left.multiplied(by: right)
  }

  /// The factors of the edit of some of the facts, by default all, for the tensor `w`.
  func factors(
    lambda: Double, _ name: ByteString = "w", facts: [Int]? = nil, left leftType: DType, keys carriesKeys: Bool
  ) throws -> LowRankFactors {
    let facts = facts ?? Array(0..<keys.columns)
    let (left, right, gram) = try solved(lambda: lambda, facts: facts)
    return LowRankFactors(
      name: name, isTransposed: false, left: StoredFactor(left.narrowed(), dtype: leftType, facts: .columns),
      right: StoredFactor(right.narrowed(), dtype: .f16, facts: .rows), gram: gram,
      keys: carriesKeys ? StoredFactor(keys(facts).transposed().narrowed(), dtype: .f32, facts: .rows) : nil)
  }
}

/// A patch of the given batches, each with facts `Subject 0`, `Subject 1`, ... that the batch's number tells apart.
func patchFile(
  _ batches: [EditBatch], lambda: Double, terms: Manifest.Terms = .facts, in directory: TemporaryDirectory
) throws -> PatchFile {
  let shape: Shape = [DirectEdit.outputSize, DirectEdit.inputSize]
  let base = Manifest.BaseTensor(dtype: .bf16, shape: shape, isTransposed: false, digest: Digest(of: [1]))
  let names = Set(batches.flatMap { $0.tensors.map(\.name) })
  let manifest = Manifest(
    created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
    base: Manifest.Base(tensors: Dictionary(uniqueKeysWithValues: names.map { ($0, base) })),
    result: Dictionary(uniqueKeysWithValues: names.map { ($0, Digest(of: [2])) }),
    batches: batches.enumerated().map { number, batch in
      Manifest.Batch(
        terms: terms,
        method: Manifest.Method(name: "emmet", lambda: lambda, alpha: lambda, secondMomentWeight: 1, layers: [0]),
        facts: (0..<batch.factCount).map {
          Manifest.Fact(
            subject: "Subject \($0)", prompt: "{} is in batch", targetNew: "\(number)",
            outcome: Manifest.Outcome(steps: 3, loss: 0.5, probabilityBefore: 0.25, probabilityAfter: 0.75))
        })
    }, author: "somebody")
  try PatchWriter.write(manifest, batches: batches, to: directory("from.wpatch"))
  return try PatchFile(path: directory("from.wpatch"))
}

extension DerivedPatch {
  /// The patch, written and read again.
  func readBack(_ directory: TemporaryDirectory, author: String? = nil) throws -> Patch {
    let tool = Manifest.Tool(name: "tests", version: "1")
    try write(to: directory("to.wpatch"), author: author, created: "2026-02-01T12:00:00Z", tool: tool)
    return try PatchFile(path: directory("to.wpatch")).patch
  }
}
