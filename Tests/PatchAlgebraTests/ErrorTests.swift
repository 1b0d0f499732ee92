import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import CheckpointLedger
@testable import PatchAlgebra

@Suite struct PatchAlgebraErrorTests {
  let directory: TemporaryDirectory
  private var path: String { directory("from.wpatch") }

  init() throws { directory = try TemporaryDirectory() }

  private func file(
    lambda: Double = 0.5, terms: Manifest.Terms = .facts, gram: Bool = true, factCount: Int = 2
  ) throws -> PatchFile {
    let full = try DirectEdit(factCount: factCount).factors(lambda: 0.5, left: .f32, keys: false)
    let factors = LowRankFactors(
      name: full.name, isTransposed: false, left: full.left, right: full.right, gram: gram ? full.gram : nil)
    return try patchFile([EditBatch(tensors: [factors])], lambda: lambda, terms: terms, in: directory)
  }

  private func expect(
    _ category: ErrataError.Kind, _ message: String, _ work: () throws -> Void,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(throws: ErrataError(category, message), sourceLocation: sourceLocation, performing: work)
  }

  @Test func batches() throws {
    expect(.usage, "\(path): has no batch 1: it has one, batch 0") { _ = try file().resolved(.lambda(1), batch: 1) }
    expect(.general, "\(path): batch 0 carries no Gram matrix for w: it cannot be solved again") {
      _ = try file(gram: false).resolved(.lambda(1))
    }
    let compacted =
      "\(path): the terms of batch 0 belong to no single fact (it was compacted, or is a difference): it cannot be "
      + "solved again; use the patch that it was made from"
    expect(.general, compacted) { _ = try file(terms: .components).resolved(.lambda(1)) }
    expect(.general, compacted) { _ = try file(terms: .components).dropping(["Subject 0"]) }
    expect(.general, compacted) { _ = try TradeOff(of: file(terms: .components)) }
    #expect(
      ErrataError.noSuchBatch("p", -1, count: 3)
        == ErrataError(.usage, "p: has no batch -1: it has 3, batches 0 to 2"))
  }

  @Test func aSingularSystem() throws {
    let one = StoredFactor(Matrix(rows: 10, columns: 2, repeating: 1), dtype: .f32, facts: .columns)
    let right = StoredFactor(Matrix(rows: 2, columns: 40, repeating: 1), dtype: .f32, facts: .rows)
    let factors = LowRankFactors(
      name: "w", isTransposed: false, left: one, right: right, gram: Matrix(rows: 2, columns: 2, repeating: 1))
    let file = try patchFile([EditBatch(tensors: [factors])], lambda: 1, in: directory)
    expect(
      .general,
      "\(path): the keys of batch 0 depend on one another, so that there is no solution at lambda 0.0; use a "
        + "larger lambda, or drop facts"
    ) { _ = try file.resolved(.lambda(0)) }
    #expect(try TradeOff(of: file, lambdas: [0, 1]).total.map(\.lambda) == [1])
  }

  @Test func facts() throws {
    expect(
      .general,
      "\(path): has no fact 'Pluto'; give an ID, its first digits (four at least) or the exact subject"
    ) { _ = try file().dropping(["Pluto"]) }
    expect(.general, "\(path): no fact would remain, and a patch cannot be empty") {
      _ = try file().dropping(["Subject 0", "Subject 1"])
    }
  }

  @Test func anAmbiguousFact() throws {
    let factors = try ["v", "w"].map {
      try DirectEdit(factCount: 1).factors(lambda: 0.5, ByteString($0), left: .f32, keys: false)
    }
    let file = try patchFile(factors.map { EditBatch(tensors: [$0]) }, lambda: 0.5, in: directory)
    let identifiers = file.patch.manifest.batches.map { $0.facts[0].identifier }.sorted()
    expect(
      .general,
      "\(path): 'Subject 0' could be \(identifiers[0]) or \(identifiers[1]); give more digits of the ID"
    ) { _ = try file.dropping(["Subject 0"]) }
    #expect(
      ErrataError.factAmbiguous("p", "1a2b", ["1a2b3", "1a2b4"])
        == ErrataError(.general, "p: '1a2b' could be 1a2b3 or 1a2b4; give more digits of the ID"))
  }

  @Test func compaction() throws {
    expect(.usage, "\(path): has no batch 3: it has one, batch 0") {
      _ = try file().compacted(to: .rank(1), in: .weights, batch: 3)
    }
    for norm in [CompactionNorm.text, .facts] {
      let message =
        "\(path): batch 0 has no terms of facts with a Gram matrix for w, which the norm of \(norm.rawValue) "
        + "takes; use the norm of weights"
      expect(.general, message) { _ = try file(gram: false).compacted(to: .rank(1), in: norm) }
      expect(.general, message) { _ = try file(terms: .components).compacted(to: .rank(1), in: norm) }
    }
    expect(
      .general,
      "\(path): all terms (2) are needed for a tolerance of 0.0001 by facts; allow more, or store them narrower alone"
    ) { _ = try file().compacted(to: .tolerance(1e-4), in: .facts) }
    expect(.general, "\(path): has no batch of more than 2 terms (2); give a smaller rank") {
      _ = try file().compacted(to: .rank(2), in: .facts)
    }
    #expect(
      ErrataError.nothingToCompact("p", .rank(9), .text, terms: [5, 2])
        == ErrataError(.general, "p: has no batch of more than 9 terms (2 to 5); give a smaller rank"))
  }

  @Test func compactionOfNumbersThatAreTooLarge() throws {
    let large = LowRankFactors(
      name: "w", isTransposed: false,
      left: StoredFactor(Matrix(rows: 10, columns: 2, repeating: 1), dtype: .f32, facts: .columns),
      right: StoredFactor(Matrix(rows: 2, columns: 40, repeating: 1), dtype: .f32, facts: .rows),
      gram: Matrix(rows: 2, columns: 2, repeating: 1e308))
    let file = try patchFile([EditBatch(tensors: [large])], lambda: 1, in: directory)
    expect(
      .general, "\(path): the factors of batch 0 have no singular values: their numbers are too large"
    ) { _ = try file.compacted(to: .rank(1), in: .facts) }
  }

  @Test func storage() throws {
    expect(.general, "\(path): its factors are stored so already (f32,f16); there is nothing to write") {
      _ = try file().stored(as: .fixed(left: .f32, right: .f16))
    }
    let large = StoredFactor(
      Matrix(rows: 10, columns: 1, repeating: .greatestFiniteMagnitude), dtype: .f32, facts: .columns)
    let factors = LowRankFactors(
      name: "w", isTransposed: false, left: large,
      right: StoredFactor(Matrix(rows: 1, columns: 40, repeating: 1), dtype: .f32, facts: .rows))
    let atTheLimit = try patchFile([EditBatch(tensors: [factors])], lambda: 1, in: directory)
    expect(.general, "the factors leave the range of float32 when they are rounded to i8: store them as f32") {
      _ = try atTheLimit.stored(as: .fixed(left: .i8, right: .i8))
    }
  }

  @Test func theResult() throws {
    let base = DropTests.samples + "/model"
    let sample = try PatchFile(path: DropTests.samples + "/twenty-facts.wpatch")
    var manifest = sample.patch.manifest
    let names = manifest.base.tensors.keys.sorted()
    let mismatches = names.map { name in
      let found = manifest.base.tensors[name]!.digest.abbreviated
      return "\(name): expected \(Digest(of: []).abbreviated), found \(found)"
    }
    for name in names { manifest.base.tensors[name]!.digest = Digest(of: []) }
    try PatchWriter.write(manifest, batches: sample.patch.batches, to: path)
    expect(
      .baseMismatch,
      "\(path): was made for another base than \(base): \(mismatches.joined(separator: "; ")) (without the base "
        + "the patch records no result)"
    ) {
      var derived = try PatchFile(path: path).resolved(.lambda(1))
      try derived.recordResult(onBase: LockedCheckpoint(path: base))
    }

    manifest.parents = [Manifest.Parent(patch: Digest(of: [3]), batches: [])]
    try PatchWriter.write(manifest, batches: sample.patch.batches, to: path)
    expect(
      .conflict,
      "\(path): was computed on top of other patches, so that the result does not follow from the base alone; "
        + "leave out the base"
    ) {
      var derived = try PatchFile(path: path).resolved(.lambda(1))
      try derived.recordResult(onBase: LockedCheckpoint(path: base))
    }
  }
}
