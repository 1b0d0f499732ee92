import Dispatch
import Foundation
import Tensors
import TestSupport

/// Random weights, about as fast as they can be written: a normal value is picked out of a table with 16 random bits.
final class RandomWeights {
  private let dtype: DType
  private let seed: UInt64
  private var tables: [Filling: [UInt8]] = [:]
  /// Where a piece stands until it is taken.
  private let buffer: UnsafeMutableRawBufferPointer

  /// - Parameter dtype: BF16, F16 or F32.
  init(_ dtype: DType, seed: UInt64) {
    self.dtype = dtype
    self.seed = seed
    buffer = .allocate(byteCount: Self.pieceLength * dtype.bitsPerElement / 8, alignment: 64)
  }

  deinit { buffer.deallocate() }

  private static let tableLength = 1 << 16
  private static let pieceLength = 1 << 23

  /// Calls `body` with the bytes of tensor number `index`, piece after piece.
  func fill(
    _ filling: Filling, elementCount: Int, index: Int, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let table = tables[filling] ?? makeTable(filling)
    tables[filling] = table
    let width = dtype.bitsPerElement / 8
    for start in stride(from: 0, to: elementCount, by: Self.pieceLength) {
      let count = min(Self.pieceLength, elementCount - start)
      let runLength = 1 << 18
      let first = start / runLength
      nonisolated(unsafe) let target = buffer.baseAddress!
      let seed = seed &+ UInt64(index) << 32
      table.withUnsafeBytes { table in
        nonisolated(unsafe) let table = table.baseAddress!
        DispatchQueue.concurrentPerform(iterations: (count + runLength - 1) / runLength) { run in
          let elements = run * runLength..<min((run + 1) * runLength, count)
          var random = SeededGenerator(seed: seed &+ UInt64(first + run))
          var bits: UInt64 = 0
          for element in elements {
            bits = element & 3 == 0 ? random.next() : bits >> 16
            let entry = Int(bits & 0xFFFF)
            if width == 2 {
              (target + 2 * element).storeBytes(
                of: table.load(fromByteOffset: 2 * entry, as: UInt16.self), as: UInt16.self)
            } else {
              (target + 4 * element).storeBytes(
                of: table.load(fromByteOffset: 4 * entry, as: UInt32.self), as: UInt32.self)
            }
          }
        }
      }
      try body(UnsafeRawBufferPointer(rebasing: buffer[..<(count * width)]))
    }
  }

  private func makeTable(_ filling: Filling) -> [UInt8] {
    var random = SeededGenerator(seed: 1)
    let values = (0..<Self.tableLength).map { _ -> Float in
      switch filling {
      case .constant(let value): value
      case .normal(let deviation): Float(random.gaussian() * deviation)
      }
    }
    return dtype == .f32
      ? values.withUnsafeBytes(Array.init) : values.withUnsafeBufferPointer { narrow($0, to: dtype) }
  }
}
