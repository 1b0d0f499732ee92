import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@Suite struct FileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func bytes<Element>(_ elements: [Element]) -> [UInt8] { elements.withUnsafeBytes(Array.init) }

  @Test func writesWhatItReads() throws {
    let path = directory("x.safetensors")
    try SafetensorsWriter.write(
      [
        "half": (.bf16, [2, 2], [0x80, 0x3F, 0, 0x40, 0x40, 0x40, 0x80, 0x40]),
        "single": (.f32, [3], bytes([1, 2, 3] as [Float])), "double": (.f64, [1, 2], bytes([0.1, -0.2])),
        "small": (.i8, [1], [7]), "empty": (.f32, [0, 4], []),
      ], metadata: ["format": "pt"], to: path)
    let file = try SafetensorsFile(path: path)
    #expect(file.header.metadata == ["format": "pt"])
    #expect(file.header.tensors.map(\.name) == ["double", "empty", "single", "half", "small"])
    #expect(try file.tensor(named: "half").matrix() == Matrix(rows: 2, columns: 2, elements: [1, 2, 3, 4]))
    #expect(try file.tensor(named: "single").matrix() == Matrix(rows: 1, columns: 3, elements: [1, 2, 3]))
    #expect(try file.tensor(named: "double").doubleMatrix() == Matrix(rows: 1, columns: 2, elements: [0.1, -0.2]))
    #expect(try file.tensor(named: "empty").matrix().count == 0)
    #expect(Array(try file.tensor(named: "small").bytes) == [7])
    let noTensor = ErrataError(.general, "\(path): there is no tensor \"other\"")
    #expect(throws: noTensor) { try file.tensor(named: "other") }
    let wrongType = ErrataError(
      .general, "\(path): tensor \"small\" is I8 [1]; a float vector or matrix is needed")
    #expect(throws: wrongType) { try file.tensor(named: "small").matrix() }
  }

  @Test func writesInPieces() throws {
    let path = directory("x.safetensors")
    let writer = try SafetensorsWriter(
      path: path,
      tensors: ["b", "a", "0"].map { TensorDeclaration(name: $0, dtype: .u8, shape: $0 == "0" ? [0] : [3]) })
    try writer.write([1], of: "a")
    try writer.write([2, 3], of: "a")
    try writer.write([4, 5, 6], of: "b")
    #expect(!FileManager.default.fileExists(atPath: path))
    try writer.commit()
    let file = try SafetensorsFile(path: path)
    #expect(Array(try file.tensor(named: "a").bytes) == [1, 2, 3])
    #expect(Array(try file.tensor(named: "b").bytes) == [4, 5, 6])
  }

  @Test func refusesEveryTruncation() throws {
    let path = directory("x.safetensors")
    try SafetensorsWriter.write(["a": (.f32, [2], bytes([1, 2] as [Float]))], to: path)
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    for count in 0..<whole.count {
      try whole.prefix(count).write(to: URL(fileURLWithPath: directory("cut")))
      let error = #expect(throws: ErrataError.self) { try SafetensorsFile(path: directory("cut")) }
      #expect(error?.kind == .damagedInput)
    }
  }

  @Test func digestsDTypeShapeAndBytes() throws {
    let path = directory("x.safetensors")
    let content: [UInt8] = [0x80, 0x3F, 0, 0x40]
    try SafetensorsWriter.write(["a": (.bf16, [1, 2], content)], to: path)
    let digest = try SafetensorsFile(path: path).tensor(named: "a").digest()
    #expect(digest == Digest(of: Array("BF16 [1, 2]\n".utf8) + content))
    #expect(digest.description == "cbe6c189f50992363e4f03a63a4a4914f86bf60eff38c32c56bfe591c82aa0d3")
  }
}
