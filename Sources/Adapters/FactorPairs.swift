import Safetensors
import Tensors

/// The factors of a file as they come, one by one, until each module has its two.
struct FactorPairs {
  let path: String
  private var modules: [String: Pair] = [:]

  private struct Pair {
    var left: Matrix<Float>?
    var right: Matrix<Float>?
  }

  init(path: String) { self.path = path }

  /// A factor's values.
  ///
  /// - Throws: an `ErrataError` if it is no matrix of a float type, or not finite.
  static func matrix(
    _ path: String, _ name: String, _ dtype: DType, _ shape: Shape, _ bytes: UnsafeRawBufferPointer
  ) throws -> Matrix<Float> {
    guard dtype.isWeightType else {
      throw ErrataError.adapterUnsupported(path, "\"\(name)\" is of type \(dtype.rawValue), not F32, F16 or BF16")
    }
    guard shape.extents.count == 2, shape.extents.allSatisfy({ $0 > 0 }) else {
      throw ErrataError.adapterFactorShape(path, name, shape)
    }
    let matrix = Matrix(rows: shape.extents[0], columns: shape.extents[1], stored: bytes, dtype: dtype)
    guard matrix.elements.allSatisfy(\.isFinite) else { throw ErrataError.adapterNotFinite(path, name) }
    return matrix
  }

  /// - Parameter isLeft: whether it is d_out x r.
  mutating func add(_ matrix: Matrix<Float>, module: String, isLeft: Bool) throws {
    let place = isLeft ? \Pair.left : \Pair.right
    guard modules[module]?[keyPath: place] == nil else { throw ErrataError.adapterModuleTwice(path, module) }
    modules[module, default: Pair()][keyPath: place] = matrix
  }

  /// - Parameters:
  ///   - missing: what the file calls the right factor and the left one.
  ///   - placement: which maps of the base are meant.
  ///   - scale: what a module's product is multiplied by, for its rank.
  /// - Throws: an `ErrataError` if a factor is missing, or if a module does not fit the base.
  func adapter(
    for base: AdapterBase, missing: (right: String, left: String), placement: (String) -> ModulePlacement?,
    scale: (String, Int) -> Double
  ) throws -> LowRankAdapter {
    guard !modules.isEmpty else { throw ErrataError.adapterEmpty(path) }
    var placed: [Int: PlacedFactors] = [:]
    for (name, pair) in modules.sorted(by: { $0.key < $1.key }) {
      guard let left = pair.left else { throw ErrataError.adapterHalf(path, name, missing: missing.left) }
      guard let right = pair.right else { throw ErrataError.adapterHalf(path, name, missing: missing.right) }
      guard left.columns == right.rows else {
        throw ErrataError.adapterRanksDiffer(path, name, right.rows, left.columns)
      }
      guard right.rows <= Self.largestRank else {
        throw ErrataError.adapterFactorShape(path, name, [right.rows, right.columns])
      }
      guard let placement = placement(name) else { throw ErrataError.adapterNoModule(path, name, base.checkpoint.path) }
      guard left.rows == placement.outputSize, right.columns == placement.inputSize else {
        throw ErrataError.adapterShape(
          path, name, found: [left.rows, right.columns], wanted: [placement.outputSize, placement.inputSize])
      }
      let scale = scale(name, right.rows)
      var start = 0
      for part in placement.parts {
        let piece = PlacedFactors.Piece(
          left: left.rows(at: Array(start..<start + part.size)), right: right, scale: scale, outputs: part.outputs)
        start += part.size
        guard placed[part.target.position, default: PlacedFactors(target: part.target)].append(piece) else {
          throw ErrataError.adapterModuleTwice(path, name)
        }
      }
    }
    return LowRankAdapter(try placed.values.map { try $0.module() })
  }

  private static let largestRank = 65_536
}
