import Tensors

/// An array in numpy's `.npy` format (NEP 1, versions 1 to 3): little-endian numbers in C order.
package struct NumpyArray {
  /// What is wrong with the bytes.
  struct FormatError: Error {
    let reason: String
  }

  package enum ElementType: String, Sendable {
    case float16 = "<f2"
    case float32 = "<f4"
    case float64 = "<f8"
    case int32 = "<i4"
    case int64 = "<i8"

    var byteCount: Int {
      switch self {
      case .float16: 2
      case .float32, .int32: 4
      case .float64, .int64: 8
      }
    }
  }

  package let type: ElementType
  /// Empty for a scalar.
  package let shape: [Int]
  /// As many as type and shape need.
  let elements: UnsafeRawBufferPointer

  /// - Parameter bytes: the file, which must outlive the array.
  /// - Throws: `FormatError`.
  init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
    guard bytes.count >= 12, bytes.prefix(6).elementsEqual([0x93] + Array("NUMPY".utf8)), (1...3).contains(bytes[6])
    else {
      throw FormatError(reason: "it does not begin as a .npy file")
    }
    let lengthCount = bytes[6] == 1 ? 2 : 4
    let length = bytes[8..<8 + lengthCount].reversed().reduce(0) { $0 << 8 | Int($1) }
    let start = 8 + lengthCount
    guard length <= bytes.count - start, length <= 1 << 16,
      let header = String(validating: bytes[start..<start + length], as: UTF8.self)
    else { throw FormatError(reason: "its header is damaged") }
    // The header is a Python dictionary that numpy writes in one way.
    let pattern = #/'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\)/#
    guard let match = header.firstMatch(of: pattern)
    else { throw FormatError(reason: "its header is not one of numbers") }
    guard let type = ElementType(rawValue: String(match.1)) else {
      throw FormatError(reason: "its type is '\(match.1)', not one of <f2, <f4, <f8, <i4, <i8")
    }
    let extents = match.3.split(separator: ",").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }.map { Int($0) }
    var count = type.byteCount
    for extent in extents {
      guard let extent, case let product = count.multipliedReportingOverflow(by: extent), !product.overflow else {
        throw FormatError(reason: "its shape is not possible")
      }
      count = product.partialValue
    }
    guard match.2 == "False" || extents.count < 2 else { throw FormatError(reason: "it is in Fortran order") }
    guard count == bytes.count - start - length else {
      throw FormatError(reason: "it has \(bytes.count - start - length) bytes of numbers, and its shape \(count)")
    }
    self.type = type
    shape = extents.map { $0! }
    elements = UnsafeRawBufferPointer(rebasing: bytes[(start + length)...])
  }

  /// - Precondition: `index` is less than the number of elements.
  package func number(_ index: Int) -> Double {
    switch type {
    case .float16: Double(Float16(bitPattern: load(index, UInt16.self)))
    case .float32: Double(Float(bitPattern: load(index, UInt32.self)))
    case .float64: Double(bitPattern: load(index, UInt64.self))
    case .int32: Double(load(index, Int32.self))
    case .int64: Double(load(index, Int64.self))
    }
  }

  private func load<Bits: FixedWidthInteger & BitwiseCopyable>(_ index: Int, _ type: Bits.Type) -> Bits {
    Bits(littleEndian: elements.loadUnaligned(fromByteOffset: index * MemoryLayout<Bits>.size, as: type))
  }
}
