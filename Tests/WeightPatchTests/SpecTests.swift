import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import WeightPatch

/// Spec/wpatch.md says nothing about its example that is not so.
@Suite(.serialized) struct SpecTests {
  private func contents(_ path: String) throws -> [UInt8] { try Array(Data(contentsOf: URL(fileURLWithPath: path))) }

  private func page() throws -> SpecPage { try SpecPage("wpatch.md") }

  @Test(.enabled(if: SpecExample.isToBeWritten, "set ERRATA_WRITE_EXAMPLES to write Spec/examples anew"))
  func writesExamples()
    throws
  {
    try SpecExample.write(to: SpecExample.folder)
  }

  @Test func examplesAreWhatThisVersionWrites() throws {
    let directory = try TemporaryDirectory()
    try SpecExample.write(to: directory.path)
    for name in ["base.safetensors", "edited.safetensors"] {
      #expect(try contents(directory(name)) == contents("\(SpecExample.folder)/\(name)"))
    }
    // Another zstd may compress otherwise; the content is the same.
    let patch = try PatchReader(path: SpecExample.patchPath).read()
    #expect(try PatchReader(path: directory("example.wpatch")).read().identifier == patch.identifier)
  }

  @Test func dumpsAreTheBytes() throws {
    let file = try contents(SpecExample.patchPath)
    try page().expectDumps("bytes of example.wpatch", of: file)
    let reader = try PatchReader(path: SpecExample.patchPath)
    let content = try reader.header.tensors.reduce(into: reader.header.bytes) { content, tensor in
      content += try reader.bytes(of: tensor, ZstdDecompressor())
    }
    try page().expectDumps("bytes of the content", of: content)
    #expect(try page().blocks("patch ID") == [Digest(of: content).description])
    #expect(try page().blocks("size of example.wpatch") == ["\(file.count)"])
  }

  @Test func manifestIsTheManifest() throws {
    let reader = try PatchReader(path: SpecExample.patchPath)
    let shown = try page().block("manifest")
    #expect(try JSON.parse(Array(shown.utf8)) == JSON.parse(reader.manifestText.bytes))
    var expected = try SpecExample.manifest()
    expected.batches[0].digest = SpecExample.batch.digest()
    #expect(reader.manifest == expected)
  }

  @Test func matricesAreTheValues() throws {
    func shown(_ what: String) throws -> [Double] {
      try page().block(what).split(whereSeparator: \.isWhitespace).map { try #require(Double($0)) }
    }
    for (name, path) in [("base", SpecExample.basePath), ("edited", SpecExample.editedPath)] {
      let stored = try SafetensorsFile(path: path).tensor(named: SpecExample.weight).matrix()
      #expect(try shown("values of \(name).safetensors").map(Float.init) == stored.elements)
    }
    let factors = SpecExample.batch.tensors[0]
    let delta = plainProduct(factors.leftValues()!.widened(), factors.rightValues()!.widened())
    #expect(try shown("values of D") == delta.elements)
  }

  /// Names, types and presence of the fields, in the order of the page: what is read and written is what stands there.
  @Test func tablesAreTheFields() throws {
    let page = try page()
    func check<Record: ManifestRecord>(_: Record.Type) throws {
      let rows = try page.table(Record.name)
      #expect(rows.map { $0[0] } == Record.fields.map { "`\($0.name)`" }, "\(Record.name)")
      for (row, field) in zip(rows, Record.fields) {
        #expect(row[1] == field.type, "\(Record.name): \(field.name)")
        // Tables of fields that are all "if known" have no column for it.
        let presence = row.count == 4 ? row[2] : ManifestField<Record>.Presence.ifKnown.rawValue
        #expect(field.presence == .conditional || presence == field.presence.rawValue, "\(Record.name): \(field.name)")
      }
    }
    try check(Manifest.self)
    try check(Manifest.Tool.self)
    try check(Manifest.Base.self)
    try check(Manifest.BaseTensor.self)
    try check(Manifest.Parent.self)
    try check(Manifest.Derivation.self)
    try check(Manifest.Source.self)
    try check(Manifest.Batch.self)
    try check(Manifest.Method.self)
    try check(Manifest.Metric.self)
    try check(Manifest.Held.self)
    try check(Manifest.Adapter.self)
    try check(Manifest.LeftOutFigures.self)
    try check(Manifest.Form.self)
    try check(Manifest.Neighbour.self)
    try check(Manifest.Hyperparameters.self)
    try check(Manifest.Fact.self)
    try check(Manifest.Outcome.self)
    try check(Manifest.Statistics.self)
    try check(Manifest.TensorFigures.self)
    try check(Manifest.Compaction.self)
  }
}
