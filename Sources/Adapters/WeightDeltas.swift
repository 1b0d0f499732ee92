import LinearAlgebra
import Tensors

/// Changes of weights as EasyEdit and the memit code keep them in memory, in a safetensors or `.npz` file: for a weight
/// `N` either a pair, `N.0` with a column for each key (d_in x E, or one vector) and `N.1` with one for each value
/// (d_out x E), whose change is value key^T; or the whole change, `N` or `N.0` alone, of the weight's shape.
///
/// Those programs write them with `torch.save`, as a pickle, which can run code; it is not read. To make one that is:
///
///     deltas = torch.load("deltas.pt")
///     save_file({f"{name}.{i}": part.contiguous() for name, parts in deltas.items() for i, part in enumerate(parts)},
///               "deltas.safetensors")
enum WeightDeltas {
  /// - Throws: an `ErrataError` if the file is damaged or does not fit the base.
  static func read(_ file: DeltaFile, for base: AdapterBase) throws -> LowRankAdapter {
    var parts: [String: [Int: String]] = [:]
    for name in file.names {
      let number = name.hasSuffix(".0") ? 0 : name.hasSuffix(".1") ? 1 : nil
      let weight = number == nil ? name : String(name.dropLast(2))
      guard parts[weight, default: [:]].updateValue(name, forKey: number ?? 0) == nil else {
        throw ErrataError.adapterModuleTwice(file.path, weight)
      }
    }
    guard !parts.isEmpty else { throw ErrataError.adapterEmpty(file.path) }
    return LowRankAdapter(
      try parts.sorted { $0.key < $1.key }.map { name, found in
        guard let target = base.target(tensor: ByteString(name)) ?? base.target(module: name) else {
          throw ErrataError.adapterNoModule(file.path, name, base.checkpoint.path)
        }
        guard let first = found[0] else { throw ErrataError.adapterHalf(file.path, name, missing: "\(name).0") }
        return try found[1].map { try pair(file, first, $0, target) } ?? whole(file, first, target)
      })
  }

  private static func pair(
    _ file: DeltaFile, _ key: String, _ value: String, _ target: AdapterBase.Target
  ) throws -> LowRankAdapter.Module {
    let (keys, values) = (try file.array(key).matrix, try file.array(value).matrix)
    guard keys.columns == values.columns else {
      throw ErrataError.adapterRanksDiffer(file.path, target.tensor.description, keys.columns, values.columns)
    }
    guard keys.rows == target.inputSize, values.rows == target.outputSize else {
      throw ErrataError.adapterShape(
        file.path, target.tensor.description, found: [values.rows, keys.rows],
        wanted: [target.outputSize, target.inputSize])
    }
    return try LowRankAdapter.Module(target: target, rounding: (values, keys.transposed()))
  }

  /// Cut to the terms that rounding to its type does not explain: singular values above what the most that it changes
  /// each element by, half a unit in the last place of the largest, adds up to in a random matrix.
  private static func whole(
    _ file: DeltaFile, _ name: String, _ target: AdapterBase.Target
  ) throws -> LowRankAdapter.Module {
    let array = try file.array(name)
    guard array.shape == target.shape else {
      throw ErrataError.adapterShape(file.path, name, found: array.shape, wanted: target.shape)
    }
    let matrix = array.matrix
    guard matrix.count <= largestCount, let found = try? SingularValueDecomposition(matrix) else {
      throw ErrataError.wholeDeltaTooLarge(file.path, name)
    }
    let largest = matrix.elements.reduce(0) { max($0, abs($1)) }
    // The decomposition itself is no finer than some units of binary64.
    let unit = max(array.unit, 0x1p-50)
    let noise = unit * largest * (Double(matrix.rows).squareRoot() + Double(matrix.columns).squareRoot())
    let rank = max(found.values.count { $0 > noise }, 1)
    let roots = found.values.prefix(rank).map { $0.squareRoot() }
    func scaled(_ rows: Matrix<Double>) -> Matrix<Double> {
      rows.rows(at: Array(0..<rank)).transposed().scalingColumns(by: roots)
    }
    let (left, right) = (scaled(found.left.transposed()), scaled(found.right))
    let (outputs, inputs) = target.isTransposed ? (right, left) : (left, right)
    return try LowRankAdapter.Module(
      target: target, rounding: (outputs, inputs.transposed()), of: target.isTransposed ? matrix.transposed() : matrix)
  }

  /// A decomposition of more takes minutes.
  private static let largestCount = 1 << 22
}
