import LinearAlgebra
import Safetensors
import Tensors

/// Changes of weights as EasyEdit and the memit code keep them in memory, in a safetensors file: for a weight `N`
/// either a pair, `N.0` with a column for each key (d_in x E, or one vector) and `N.1` with one for each value (d_out x
/// E), whose change is value key^T; or the whole change, `N` or `N.0` alone, of the weight's shape.
///
/// They are written with `torch.save`, as a pickle, which is a program; only safetensors is read:
///
///     deltas = torch.load("deltas.pt")
///     save_file({f"{name}.{i}": part.contiguous() for name, parts in deltas.items() for i, part in enumerate(parts)},
///               "deltas.safetensors")
enum WeightDeltas {
  /// - Throws: an `ErrataError` if the file is damaged or does not fit the base.
  static func read(_ file: SafetensorsFile, for base: AdapterBase) throws -> LowRankAdapter {
    var parts: [String: [Int: TensorInfo]] = [:]
    for info in file.header.tensors {
      let name = info.name.description
      let number = name.hasSuffix(".0") ? 0 : name.hasSuffix(".1") ? 1 : nil
      let weight = number == nil ? name : String(name.dropLast(2))
      guard parts[weight, default: [:]].updateValue(info, forKey: number ?? 0) == nil else {
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
    _ file: SafetensorsFile, _ key: TensorInfo, _ value: TensorInfo, _ target: AdapterBase.Target
  ) throws -> LowRankAdapter.Module {
    let matrices = try [key, value].map { info in
      // ROME's are vectors.
      let shape: Shape = info.shape.extents.count == 1 ? [info.shape.extents[0], 1] : info.shape
      return try FactorPairs.matrix(file.path, info.name.description, info.dtype, shape, file.bytes(of: info))
    }
    guard matrices[0].columns == matrices[1].columns else {
      throw ErrataError.adapterRanksDiffer(
        file.path, target.tensor.description, matrices[0].columns, matrices[1].columns)
    }
    guard matrices[0].rows == target.inputSize, matrices[1].rows == target.outputSize else {
      throw ErrataError.adapterShape(
        file.path, target.tensor.description, found: [matrices[1].rows, matrices[0].rows],
        wanted: [target.outputSize, target.inputSize])
    }
    return LowRankAdapter.Module(target: target, left: matrices[1], right: matrices[0].transposed())
  }

  /// Cut to the terms that rounding to its type does not explain: singular values above what the most that it changes
  /// each element by, half a unit in the last place of the largest, adds up to in a random matrix.
  private static func whole(
    _ file: SafetensorsFile, _ info: TensorInfo, _ target: AdapterBase.Target
  ) throws -> LowRankAdapter.Module {
    let name = info.name.description
    let matrix = try FactorPairs.matrix(file.path, name, info.dtype, info.shape, file.bytes(of: info)).widened()
    guard info.shape == target.shape else {
      throw ErrataError.adapterShape(file.path, name, found: info.shape, wanted: target.shape)
    }
    guard matrix.count <= largestCount, let found = try? SingularValueDecomposition(matrix) else {
      throw ErrataError.wholeDeltaTooLarge(file.path, name)
    }
    let unit = info.dtype == .bf16 ? 0x1p-8 : info.dtype == .f16 ? 0x1p-11 : 0x1p-24
    let largest = matrix.elements.reduce(0) { max($0, abs($1)) }
    let noise = unit * largest * (Double(matrix.rows).squareRoot() + Double(matrix.columns).squareRoot())
    let rank = max(found.values.count { $0 > noise }, 1)
    let (left, right) = (found.left.transposed().rows(at: Array(0..<rank)), found.right.rows(at: Array(0..<rank)))
    // Each with the root of the singular value.
    func scaled(_ rows: Matrix<Double>) -> Matrix<Float> {
      let values = rows.elements
      let elements = values.indices.map { Float(values[$0] * found.values[$0 / rows.columns].squareRoot()) }
      return Matrix(rows: rows.rows, columns: rows.columns, elements: elements)
    }
    let (outputs, inputs) = target.isTransposed ? (right, left) : (left, right)
    return LowRankAdapter.Module(target: target, left: scaled(outputs).transposed(), right: scaled(inputs))
  }

  /// A decomposition of more takes minutes.
  private static let largestCount = 1 << 22
}
