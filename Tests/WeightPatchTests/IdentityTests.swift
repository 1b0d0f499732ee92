import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import CheckpointLedger

/// Tensors are compared by windows, on several threads.
@Suite struct IdentityTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let count = 3 << 20

  private func tensor(
    _ name: String, _ bytes: [UInt8], _ dtype: DType = .u8, _ shape: Shape = [count]
  ) throws -> StoredTensor {
    try SafetensorsWriter.write(["w": (dtype, shape, bytes)], to: directory(name))
    return try SafetensorsFile(path: directory(name)).tensor(named: "w")
  }

  @Test("One byte anywhere tells tensors apart", arguments: [0, 1 << 20, count - 1])
  func oneByteTellsThemApart(place: Int) throws {
    let bytes = (0..<Self.count).map { UInt8(truncatingIfNeeded: $0 / 7) }
    var others = bytes
    let first = try tensor("a", bytes)
    #expect(try first.isIdentical(to: tensor("b", others)))
    others[place] ^= 1
    let second = try tensor("c", others)
    #expect(!first.isIdentical(to: second) && !second.isIdentical(to: first))
  }

  @Test func typeAndShapeTellThemApart() throws {
    let bytes = [UInt8](repeating: 0, count: 12)
    let first = try tensor("a", bytes, .u8, [12])
    #expect(try !first.isIdentical(to: tensor("b", bytes, .i8, [12])))
    #expect(try !first.isIdentical(to: tensor("c", bytes, .u8, [3, 4])))
  }

  @Test func aFileIsIdenticalUnderEveryName() throws {
    // As bits, a NaN equals itself.
    let first = try tensor("a", [UInt8](repeating: 0xFF, count: 8), .f32, [2])
    try FileManager.default.linkItem(atPath: directory("a"), toPath: directory("link"))
    #expect(try first.isIdentical(to: SafetensorsFile(path: directory("link")).tensor(named: "w")))
  }

  @Test func nothingIsIdenticalToNothing() throws {
    #expect(try tensor("a", [], .u8, [0]).isIdentical(to: tensor("b", [], .u8, [0])))
  }
}
