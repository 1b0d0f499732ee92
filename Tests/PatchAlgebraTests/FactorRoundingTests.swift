import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import PatchAlgebra

@Suite struct FactorRoundingTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func file(left: DType = .f32, keys: Bool) throws -> (edit: DirectEdit, file: PatchFile) {
    let edit = try DirectEdit()
    let factors = try edit.factors(lambda: 0.05, left: left, keys: keys)
    return (edit, try patchFile([EditBatch(tensors: [factors])], lambda: 0.05, in: directory))
  }

  @Test(arguments: [false, true], ["i8", "f16", "f16,i8", "i8,f16", "f32"])
  func factsStayAndWhatIsLostIsMeasured(keys: Bool, types: String) throws {
    let (edit, source) = try file(left: types == "f16" ? .f32 : .f16, keys: keys)
    let before = source.patch.batches[0].tensors[0]
    let patch = try source.stored(as: #require(FactorTypes(types))).readBack(directory)
    let after = patch.batches[0].tensors[0]
    let wanted = types.contains(",") ? types : "\(types),\(types)"
    #expect(after.storage.lowercased() == wanted.split(separator: ",").joined(separator: " "))
    #expect(after.gram?.elements == before.gram?.elements && after.keys == before.keys)
    let batch = patch.manifest.batches[0]
    #expect(
      batch.terms == .facts && batch.facts.map(\.identifier) == source.patch.manifest.batches[0].facts.map(\.identifier)
    )
    #expect(batch.digest != source.patch.manifest.batches[0].digest)
    #expect(patch.manifest.derivation?.change == "stored as \(types)")

    func dense(_ factors: LowRankFactors) -> Matrix<Double> {
      factors.leftValues()!.widened().multiplied(by: factors.rightValues()!.widened())
    }
    let rest = dense(after).subtracting(dense(before))
    let figures = try #require(batch.tensors["w"])
    #expect(abs(try #require(figures.deltaError) - rest.frobeniusNorm / dense(before).frobeniusNorm) < 1e-12)
    #expect(
      figures.preservation == after.preservation(using: .blas) && figures.deltaNorm == after.deltaNorm(using: .blas))
    #expect(figures.memorization == after.worstMemorization(slack: .same(0.05), using: .blas))
    if types == "f32" { #expect(figures.deltaError == 0) }
    if types.contains("i8") { #expect(try #require(figures.deltaError) < 0.05) }
    // The fixture records no storage error, to which another could be added.
    #expect(figures.storageError == nil)
    let (atKeys, wantedAtKeys) = (dense(after).multiplied(by: edit.keys), dense(before).multiplied(by: edit.keys))
    #expect(relativeError(atKeys.elements, wantedAtKeys.elements) < 0.05)
    // Solved again at the same lambda, it answers as before.
    let again = try PatchFile(path: directory("to.wpatch")).resolved(.lambda(0.05)).batches[0].tensors[0]
    #expect(relativeError(dense(again).elements, dense(after).elements) < 1e-3)
  }

  @Test(arguments: [false, true]) func theStorageErrorGrowsByWhatIsLostAtTheKeys(keys: Bool) throws {
    let (edit, source) = try file(keys: keys)
    var manifest = source.patch.manifest
    manifest.batches[0].tensors["w"] = Manifest.TensorFigures(storageError: 0.25)
    try PatchWriter.write(manifest, batches: source.patch.batches, to: directory("from.wpatch"))
    let recorded = try PatchFile(path: directory("from.wpatch"))
    func error(_ types: FactorTypes) throws -> Double? {
      try recorded.stored(as: types).manifest.batches[0].tensors["w"]?.storageError
    }
    let before = recorded.patch.batches[0].tensors[0]
    func lost(_ types: FactorTypes) throws -> Double {
      let after = try recorded.stored(as: types).batches[0].tensors[0]
      func atKeys(_ factors: LowRankFactors) -> Matrix<Double> {
        factors.leftValues()!.widened().multiplied(by: factors.rightValues()!.widened().multiplied(by: edit.keys))
      }
      return zip(atKeys(after).subtracting(atKeys(before)).columnNorms(), edit.residuals.columnNorms())
        .map { $0 / $1 }.max()!
    }
    // Where B keeps its values, B K = G tells what the rounding of A costs.
    let left = FactorTypes.fixed(left: .i8, right: .f16)
    let (leftError, lostByLeft) = (try #require(try error(left)), try lost(left))
    #expect(abs(leftError - 0.25 - lostByLeft) < 1e-3 * lostByLeft + 1e-6)
    // Where B is rounded too, only the keys can tell.
    let both = FactorTypes.fixed(left: .i8, right: .i8)
    if keys {
      let (bothError, lostByBoth) = (try #require(try error(both)), try lost(both))
      #expect(abs(bothError - 0.25 - lostByBoth) < 1e-3 * lostByBoth + 1e-6)
    } else {
      #expect(try error(both) == nil)
    }
    #expect(try error(.automatic) != nil)
    #expect(try recorded.stored(as: .automatic).batches[0].tensors[0].storage == "F16 F16")
  }

  @Test func oneBatchCanBeStoredAnewAlone() throws {
    let batches = try (1...2).map {
      EditBatch(tensors: [try DirectEdit(seed: $0).factors(lambda: 0.5, left: .f32, keys: false)])
    }
    let source = try patchFile(batches, lambda: 0.5, in: directory)
    let patch = try source.stored(as: .fixed(left: .i8, right: .i8), batch: 1).readBack(directory)
    #expect(patch.batches.map { $0.tensors[0].storage } == ["F32 F16", "I8 I8"])
    #expect(patch.manifest.batches[0].digest == source.patch.manifest.batches[0].digest)
    #expect(patch.manifest.derivation?.change == "batch 1 stored as i8")
  }
}
