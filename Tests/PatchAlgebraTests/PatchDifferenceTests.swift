import Foundation
import LinearAlgebra
import Safetensors
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import PatchAlgebra

@Suite struct PatchDifferenceTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private struct Change {
    var name: ByteString = "w"
    var terms = 3
    var seed: UInt64 = 1
    var isTransposed = false
    var shape: (outputs: Int, inputs: Int) = (14, 23)

    var factors: LowRankFactors {
      var random = SeededGenerator(seed: seed)
      func matrix(_ rows: Int, _ columns: Int) -> Matrix<Float> {
        Matrix(rows: rows, columns: columns, elements: (0..<rows * columns).map { _ in Float(random.gaussian()) })
      }
      return LowRankFactors(
        name: name, isTransposed: isTransposed,
        left: StoredFactor(matrix(shape.outputs, terms), dtype: .f32, facts: .columns),
        right: StoredFactor(matrix(terms, shape.inputs), dtype: .f16, facts: .rows))
    }
  }

  /// - Parameter facts: subject and target of each fact; a batch of components if there are none.
  private func patch(
    _ file: String, _ changes: [Change], facts: [(String, String)] = [], base: UInt8 = 1
  ) throws -> PatchFile {
    let batches = changes.map { EditBatch(tensors: [$0.factors]) }
    let tensors = Dictionary(changes.map { ($0.name, $0.factors.shape) }) { first, _ in first }
    let manifest = Manifest(
      created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
      base: Manifest.Base(
        tensors: Dictionary(
          uniqueKeysWithValues: tensors.map { name, shape in
            let isTransposed = changes.first { $0.name == name }!.isTransposed
            return (
              name,
              Manifest.BaseTensor(
                dtype: .bf16, shape: shape, isTransposed: isTransposed, digest: Digest(of: [base]))
            )
          })),
      batches: batches.map { _ in
        Manifest.Batch(
          terms: .components, method: Manifest.Method(name: "emmet", lambda: 1, layers: [0]),
          facts: facts.map { Manifest.Fact(subject: $0, prompt: "{} is", targetNew: $1) })
      })
    try PatchWriter.write(manifest, batches: batches, to: directory(file))
    return try PatchFile(path: directory(file))
  }

  private func dense(_ changes: [Change]) -> Matrix<Double> {
    let products = changes.map { change in
      let product = change.factors.leftValues()!.widened().multiplied(by: change.factors.rightValues()!.widened())
      return change.isTransposed ? product.transposed() : product
    }
    return products.dropFirst().reduce(products[0]) { $0.adding($1, times: 1) }
  }

  // MARK: Facts

  @Test func tellsFactsApart() throws {
    let a = try patch("a", [Change()], facts: [("Rome", "Italy"), ("Oslo", "Norway"), ("Lima", "Peru")])
    let b = try patch("b", [Change(seed: 2)], facts: [("Lima", "Chile"), ("Bern", "Austria"), ("Rome", "Italy")])
    let difference = try PatchDifference(from: a, to: b)
    #expect(difference.added.map(\.subject) == ["Bern"] && difference.removed.map(\.subject) == ["Oslo"])
    #expect(difference.changed.map { [$0.before.targetNew, $0.after.targetNew] } == [["Peru", "Chile"]])
    #expect(difference.sharedFactCount == 1 && difference.sharedBatchCount == 0 && difference.isDifferent)
    #expect(difference.tensorsOfOtherBases == [])
  }

  @Test func theSameEditsAreNoDifference() throws {
    let a = try patch("a", [Change()], facts: [("Rome", "Italy")])
    let same = try PatchDifference(from: a, to: patch("b", [Change()], facts: [("Rome", "Italy")]))
    #expect(!same.isDifferent && same.sharedBatchCount == 1 && same.sharedFactCount == 1)
    #expect(same.tensors[0].differenceNorm! < 1e-12 * same.tensors[0].firstNorm!)
    #expect(same.tensors[0].columnAngles.allSatisfy { $0 < 1e-12 } && abs(same.tensors[0].cosine! - 1) < 1e-12)
    let otherBase = try PatchDifference(from: a, to: patch("b", [Change()], facts: [("Rome", "Italy")], base: 2))
    #expect(otherBase.isDifferent && otherBase.tensorsOfOtherBases == ["w"])
    #expect(try PatchDifference(from: a, to: patch("b", [Change()], facts: [("Rome", "Gaul")])).isDifferent)
  }

  // MARK: Tensors

  private static let python: String? = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path
    let named = ProcessInfo.processInfo.environment["ERRATA_PYTHON"]
    return [named, root + "/.venv/bin/python"].compactMap(\.self).first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }()

  private func numpy(_ first: Matrix<Double>, _ second: Matrix<Double>) throws -> JSON {
    func tensor(_ matrix: Matrix<Double>) -> (dtype: DType, shape: Shape, bytes: [UInt8]) {
      (.f64, [matrix.rows, matrix.columns], matrix.elements.withUnsafeBytes(Array.init))
    }
    try SafetensorsWriter.write(["a": tensor(first), "b": tensor(second)], to: directory("changes"))
    let process = Process()
    let pipe = Pipe()
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    process.executableURL = URL(fileURLWithPath: Self.python!)
    process.arguments = [script + "/Witness/spectra.py", directory("changes")]
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return try JSON.parse(Array(output))
  }

  /// Several batches on a side, other ranks, other orientations, more terms than rows.
  @Test(.enabled(if: python != nil, "there is no Python with numpy"), arguments: 0..<5)
  func agreesWithNumpy(number: Int) throws {
    let cases: [([Change], [Change])] = [
      ([Change(seed: 1)], [Change(terms: 5, seed: 2)]),
      ([Change(terms: 1, seed: 3)], [Change(terms: 1, seed: 4)]),
      // One shares two terms' batch with the other: angles of zero beside others.
      (
        [Change(terms: 2, seed: 5), Change(terms: 1, seed: 6)], [Change(terms: 2, seed: 5), Change(terms: 3, seed: 7)]
      ),
      ([Change(terms: 2, seed: 8)], [Change(terms: 2, seed: 9, isTransposed: true, shape: (23, 14))]),
      ([Change(terms: 17, seed: 10)], [Change(terms: 4, seed: 11)]),
    ]
    let (first, second) = cases[number]
    let found = try PatchDifference(from: patch("a", first), to: patch("b", second)).tensors[0]
    let expected = try numpy(dense(first), dense(second))
    func numbers(_ json: JSON?) -> [Double] { json?.arrayValue?.compactMap(\.doubleValue) ?? [] }
    let norms = [found.firstNorm!, found.secondNorm!, found.differenceNorm!]
    #expect(relativeError(norms, numbers(expected["norms"])) < 1e-10)
    #expect(abs(found.cosine! - expected["cosine"]!.doubleValue!) < 1e-10)
    #expect([found.firstRank, found.secondRank] == numbers(expected["ranks"]).map { Int($0) })
    // numpy's angles come from cosines, which are blind below 1e-8.
    for (own, witness) in [(found.columnAngles, expected["columns"]), (found.rowAngles, expected["rows"])] {
      #expect(own.count == numbers(witness).count)
      for (a, b) in zip(own, numbers(witness)) { #expect(abs(a - b) < 1e-7) }
      #expect(zip(own, own.dropFirst()).allSatisfy(<=))
    }
    let core = try SingularValueDecomposition.values(of: dense(first))
    #expect(relativeError(core, numbers(expected["values"]?.arrayValue?[0])) < 1e-10)
  }

  /// cos, sin and everything between by hand: spans of e1 and of cos t e1 + sin t e2.
  @Test(arguments: [0, 1e-9, 0.1, 0.785, 1.5, Double.pi / 2]) func angleOfTwoLines(angle: Double) throws {
    let first = Matrix(rows: 3, columns: 1, elements: [1.0, 0, 0])
    let second = Matrix(rows: 3, columns: 2, elements: [cos(angle), 0, sin(angle), 0, 0, 1])
    for found in [try principalAngles(first, second), try principalAngles(second, first)] {
      #expect(found.count == 1 && abs(found[0] - angle) < 1e-15 + 1e-14 * angle)
    }
    #expect(try principalAngles(first, Matrix(rows: 3, columns: 0)) == [])
  }

  @Test func tensorsOfOneSide() throws {
    let difference = try PatchDifference(
      from: patch("a", [Change(name: "u"), Change(name: "w")]),
      to: patch("b", [Change(name: "v", seed: 2), Change(name: "w", shape: (14, 22))]))
    #expect(difference.tensors.map(\.name) == ["u", "v", "w"])
    let (u, v, w) = (difference.tensors[0], difference.tensors[1], difference.tensors[2])
    #expect(u.secondNorm == nil && u.differenceNorm == u.firstNorm && u.firstRank == 3 && u.cosine == nil)
    #expect(v.firstNorm == nil && v.differenceNorm == v.secondNorm && v.columnAngles == [])
    // Other shapes cannot be compared.
    #expect(w.firstNorm != nil && w.secondNorm != nil && w.differenceNorm == nil && w.cosine == nil)
  }
}
