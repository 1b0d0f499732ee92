import Foundation
import Tensors
import TestSupport
import Testing

@testable import WeightPatch

/// Spec/examples/vectors: what another implementation can be checked with.
@Suite struct SpecVectorTests {
  @Test(.enabled(if: SpecExample.isToBeWritten, "set ERRATA_WRITE_EXAMPLES to write Spec/examples anew"))
  func writesVectors() throws { try SpecVectors.write(to: SpecVectors.folder) }

  private func expected() throws -> JSON { try JSON.parse(contentsOf: SpecVectors.folder + "/vectors.json") }

  @Test func vectorsAreWhatThisVersionWrites() throws {
    let directory = try TemporaryDirectory()
    try SpecVectors.write(to: directory.path)
    #expect(try JSON.parse(contentsOf: directory("vectors.json")) == expected())
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: SpecVectors.folder).sorted() == directory.names.sorted())
  }

  @Test func vectorsAreRead() throws {
    let valid = try SpecVectors.valid()
    for (name, vector) in valid {
      let patch = try PatchReader(path: "\(SpecVectors.folder)/\(name).wpatch").read()
      #expect(try expected()[ByteString("\(name).wpatch")] == SpecVectors.expectation(of: patch), "\(name)")
      #expect(patch.manifest.batches[0].facts == vector.manifest.batches[0].facts, "\(name)")
      #expect(patch.manifest.batches[0].adapter == vector.manifest.batches[0].adapter, "\(name)")
      #expect(patch.manifest.batches[0].metric == vector.manifest.batches[0].metric, "\(name)")
      // What the numbers are when they are worked out from K, H and C = I.
      #expect(try SpecVectors.result(of: patch.batches[0]) == patch.manifest.result?[SpecExample.weight], "\(name)")
    }
    func preservation(_ name: String) throws -> JSON? {
      try expected()[ByteString("\(name).wpatch")]?["preservation"]?.arrayValue?[0]
    }
    // |D|^2, for C = I, of D = A B with the B of each metric.
    #expect(try preservation("projection-without-text") == .null && preservation("identity") == .null)
    for name in ["held", "projection"] {
      let factors = valid[name]!.batch.tensors[0]
      let change = plainProduct(factors.leftValues()!.widened(), factors.rightValues()!.widened())
      #expect(abs(try #require(preservation(name)?.doubleValue) - change.elementwiseDot(change)) < 1e-12, "\(name)")
    }
  }

  @Test func hostileVectorsAreRefused() throws {
    for vector in SpecVectors.hostile {
      let path = "\(SpecVectors.folder)/\(vector.name).wpatch"
      #expect(throws: ErrataError(.damagedInput, "\(path): \(vector.why)"), "\(vector.name)") {
        try PatchReader(path: path).read()
      }
    }
  }

  /// Whatever needs format 2 is written in it, and nothing else is.
  @Test func theLowestFormatIsWritten() throws {
    let second = [
      "slack-per-term", "slack-of-weight", "held", "projection", "projection-without-text", "identity", "chat",
    ]
    for (name, vector) in try SpecVectors.valid() {
      #expect(vector.manifest.format == (second.contains(name) ? 2 : 1), "\(name)")
    }
  }

  /// A file may be in a higher format than its fields need; it keeps it.
  @Test func aHigherFormatStays() throws {
    var manifest = try SpecExample.manifest()
    let text = String(decoding: manifest.serialized(), as: UTF8.self).replacing(#""format":1"#, with: #""format":2"#)
    manifest = try Manifest(parsing: Array(text.utf8), source: "x")
    #expect(manifest.format == 2 && String(decoding: manifest.serialized(), as: UTF8.self) == text)
    let directory = try TemporaryDirectory()
    let written = try PatchWriter.write(manifest, batches: [SpecExample.batch], to: directory("x.wpatch"))
    let again = try PatchWriter.recompress(
      PatchReader(path: directory("x.wpatch")), compressionLevel: 1, to: directory("y.wpatch"))
    #expect(again.identifier == written.identifier && again.manifest.format == 2)
  }
}
