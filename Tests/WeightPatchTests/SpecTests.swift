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

  @Test func tablesNameEveryField() throws {
    let text = try page().text
    for field in ManifestTests.fieldNames(ManifestTests.full.json) {
      #expect(text.contains("| `\(field)` |"), "\(field)")
    }
  }
}
