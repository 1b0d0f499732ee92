import Foundation
import LinearAlgebra
import Safetensors
import Tensors

/// The Cholesky factors of second moments, `C + ridge = L L^T`, kept in a file beside them: to make them takes d_in^3 /
/// 3 operations for each layer, to read them d_in^2 / 2 numbers.
///
/// A safetensors file: for each layer the tensor `factor.<layer>`, F64, the rows of L one after the other, each from
/// its first element to the diagonal, and in `__metadata__` under `errata.second_moment_factors` as JSON the digest of
/// the file of second moments and the ridge.
public struct SecondMomentFactors {
  private static let metadataKey: ByteString = "errata.second_moment_factors"
  /// How far `L L^T x` may be from `C x`, as a share.
  private static let tolerance = 1e-10

  public let path: String
  private let statistics: SecondMoments
  private let ridge: Double
  private let file: SafetensorsFile

  /// Where the factors of a file of second moments are kept.
  public static func path(of statistics: String) -> String { statistics + ".factors" }

  /// Opens the factors beside second moments; nil if there are none, or none of these second moments with this ridge.
  ///
  /// - Throws: an `ErrataError` if the file is damaged.
  public init?(of statistics: SecondMoments, ridge: Double) throws {
    path = Self.path(of: statistics.path)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    file = try SafetensorsFile(path: path)
    guard let json = file.header.metadata[Self.metadataKey].flatMap({ try? JSON.parse($0.bytes) }),
      let digest = json["statistics"]?.stringValue, let found = json["ridge"]?.doubleValue
    else { throw ErrataError.damagedFactors(path, "its metadata is not that of factors") }
    guard digest == statistics.digest.description, found == ridge else { return nil }
    self.statistics = statistics
    self.ridge = ridge
  }

  /// The factor of one layer, checked against C on a vector; nil if it is not in the file.
  ///
  /// - Throws: an `ErrataError` if it is damaged, or if the second moments are.
  public func factor(layer: Int) throws -> Cholesky? {
    guard file.header[Self.tensorName(layer)] != nil else { return nil }
    let tensor = try file.tensor(named: Self.tensorName(layer))
    var triangle = try statistics.triangle(layer: layer)
    triangle.addRidge(ridge)
    let size = triangle.size
    guard tensor.dtype == .f64, tensor.shape == [PackedTriangle.count(size)] else {
      throw ErrataError.damagedFactors(path, "layer \(layer) is not of the second moments' size")
    }
    // A vector with no structure that damage could share.
    let vector = Matrix(rows: 1, columns: size, elements: (0..<size).map { Double(($0 * 7919 + 13) % 101) - 50 })
    let expected = triangle.product(ofRows: vector).transposed()
    // C's memory takes the factor.
    var (row, column) = (0, 0)
    file.forEachWindow(of: tensor.info) { bytes, _ in
      for offset in stride(from: 0, to: bytes.count, by: 8) {
        triangle[row, column] = bytes.loadUnaligned(fromByteOffset: offset, as: Double.self)
        if column < row { column += 1 } else { (row, column) = (row + 1, 0) }
      }
    }
    let factor = Cholesky(factor: triangle)
    let difference = factor.product(with: vector.transposed()).subtracting(expected)
    guard difference.frobeniusNorm <= Self.tolerance * expected.frobeniusNorm else {
      throw ErrataError.damagedFactors(path, "layer \(layer) is no factor of the second moments")
    }
    return factor
  }

  /// Makes the factors of some layers and writes them beside the second moments.
  ///
  /// - Parameter progress: is told how many layers are done; may throw to stop.
  /// - Throws: an `ErrataError` if C of a layer is not positive definite, or the file cannot be written.
  public static func write(
    _ statistics: SecondMoments, layers: [Int], ridge: Double, progress: (Int) throws -> Void = { _ in }
  ) throws {
    let sizes = try Dictionary(uniqueKeysWithValues: layers.map { ($0, try statistics.keyLength(layer: $0)) })
    let json: JSON = ["statistics": JSON(statistics.digest.description), "ridge": .double(ridge)]
    let writer = try SafetensorsWriter(
      path: path(of: statistics.path),
      tensors: sizes.map { TensorDeclaration(name: tensorName($0), dtype: .f64, shape: [PackedTriangle.count($1)]) },
      metadata: [metadataKey: ByteString(json.serialized())])
    for (done, tensor) in writer.header.tensors.enumerated() {
      let layer = layers.first { tensorName($0) == tensor.name }!
      // Large: nobody else holds it.
      var secondMoment = try statistics.triangle(layer: layer)
      secondMoment.addRidge(ridge)
      let factor: Cholesky
      do {
        factor = try Cholesky(consume secondMoment)
      } catch {
        throw ErrataError.notPositiveDefinite(
          layer: layer, tokens: statistics.tokenCount, keyLength: sizes[layer]!)
      }
      try factor.forEachRow { try writer.write(UnsafeRawBufferPointer($0), of: tensor.name) }
      try progress(done + 1)
    }
    try writer.commit()
  }

  private static func tensorName(_ layer: Int) -> ByteString { ByteString("factor.\(layer)") }
}
