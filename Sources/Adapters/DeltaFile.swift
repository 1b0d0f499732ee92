import NumpyArchive
import Safetensors
import Tensors

/// The arrays of a file of weight deltas, safetensors or `.npz`, each read when it is asked for.
struct DeltaFile {
  /// One array, in binary64.
  struct Array {
    let shape: Shape
    /// What its type rounds a value by at most, relative to the value.
    let unit: Double
    let elements: [Double]

    /// The same as a matrix; a vector is one column.
    var matrix: Matrix<Double> {
      Matrix(rows: shape.extents[0], columns: shape.extents.count == 1 ? 1 : shape.extents[1], elements: elements)
    }
  }

  let path: String
  let names: [String]
  private let read: (String) throws -> Array

  init(_ file: SafetensorsFile) {
    path = file.path
    names = file.header.tensors.map(\.name.description)
    let tensors = Dictionary(uniqueKeysWithValues: zip(names, file.header.tensors))
    read = { name in
      let info = tensors[name]!
      guard let unit = Self.units[info.dtype] else {
        throw ErrataError.deltaType(file.path, name, info.dtype.rawValue)
      }
      return Array(shape: info.shape, unit: unit, elements: Self.elements(file.bytes(of: info), info.dtype))
    }
  }

  /// - Parameter largestCount: how many elements an array has at most.
  /// - Throws: an `ErrataError` if the file cannot be read or is no archive.
  init(numpy path: String, largestCount: Int) throws {
    self.path = path
    let archive = try NumpyArchive(path: path)
    names = archive.names
    read = { name in
      try archive.withArray(name, maximumByteCount: largestCount * 8) { array in
        let unit: Double
        switch array.type {
        case .float16: unit = Self.units[.f16]!
        case .float32: unit = Self.units[.f32]!
        case .float64: unit = Self.units[.f64]!
        case .int32, .int64: throw ErrataError.deltaType(path, name, array.type.rawValue)
        }
        let count = array.shape.reduce(1, *)
        return Array(shape: Shape(array.shape), unit: unit, elements: (0..<count).map(array.number))
      }!
    }
  }

  /// - Parameter name: one of `names`.
  /// - Throws: an `ErrataError` if it is damaged, neither a vector nor a matrix of floating-point numbers, or has one
  ///   that is not finite.
  func array(_ name: String) throws -> Array {
    let array = try read(name)
    guard (1...2).contains(array.shape.extents.count), array.shape.extents.allSatisfy({ $0 > 0 }) else {
      throw ErrataError.adapterFactorShape(path, name, array.shape)
    }
    guard array.elements.allSatisfy(\.isFinite) else { throw ErrataError.adapterNotFinite(path, name) }
    return array
  }

  private static func elements(_ bytes: UnsafeRawBufferPointer, _ dtype: DType) -> [Double] {
    guard dtype == .f64 else {
      let count = bytes.count * 8 / dtype.bitsPerElement
      return Matrix<Float>(rows: 1, columns: count, stored: bytes, dtype: dtype).widened().elements
    }
    return (0..<bytes.count / 8).map {
      Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)))
    }
  }

  private static let units: [DType: Double] = [.bf16: 0x1p-8, .f16: 0x1p-11, .f32: 0x1p-24, .f64: 0x1p-53]
}
