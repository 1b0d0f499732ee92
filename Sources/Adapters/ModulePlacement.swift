import Tensors
import Transformer

/// Where an adapter's module stands in the base: in a map of its own, in a part of one that the base holds with others,
/// or, if the module is several maps in one, in each of them.
///
/// Who trains an adapter may have queries, keys and values (gate and up) apart, and who edits the model together, or
/// the other way round: Phi-3 is served in both forms.
struct ModulePlacement {
  struct Part {
    let target: AdapterBase.Target
    /// Of the target, in the order that the module has its own in.
    let outputs: [Range<Int>]

    var size: Int { outputs.reduce(0) { $0 + $1.count } }
  }

  /// Whose outputs, one after another, are the module's.
  let parts: [Part]

  init(_ parts: [Part]) { self.parts = parts }

  init(_ target: AdapterBase.Target) { self.init([Part(target: target, outputs: [0..<target.outputSize])]) }

  var outputSize: Int { parts.reduce(0) { $0 + $1.size } }
  var inputSize: Int { parts[0].target.inputSize }
}

extension AdapterBase {
  /// - Returns: nil if the module is none of a block of this model.
  func placement(module: String) -> ModulePlacement? {
    if let target = target(module: module) { return ModulePlacement(target) }
    guard let path = blockPath(ofModule: module), let dot = path.lastIndex(of: ".") else { return nil }
    let name = String(path[dot...].dropFirst())
    let siblings = targets.filter { target in
      Architecture.blockPath(target.module).map { $0[..<($0.lastIndex(of: ".") ?? $0.startIndex)] } == path[..<dot]
    }
    if let role = Self.parts[name],
      let target = siblings.first(where: { $0.role == (role == .gate || role == .up ? .gateUp : .queryKeyValue) }),
      let outputs = architecture.outputs(of: role, inFusedMapOf: target.layer)
    {
      return ModulePlacement([ModulePlacement.Part(target: target, outputs: outputs)])
    }
    guard let roles = Self.wholes[name] else { return nil }
    let parts = roles.compactMap { role in siblings.first { $0.role == role } }
    guard parts.count == roles.count else { return nil }
    return ModulePlacement(parts.map { ModulePlacement.Part(target: $0, outputs: [0..<$0.outputSize]) })
  }

  /// The names that the parts have in transformers wherever they stand apart.
  private static let parts: [String: Architecture.MapRole] = [
    "q_proj": .query, "k_proj": .key, "v_proj": .value, "gate_proj": .gate, "up_proj": .up,
  ]
  /// The names of maps in one whose order is one part after another; one that is called otherwise may have another.
  private static let wholes: [String: [Architecture.MapRole]] = [
    "qkv_proj": [.query, .key, .value], "gate_up_proj": [.gate, .up],
  ]
}

/// What the modules of an adapter do to one map, of which each may change a part.
struct PlacedFactors {
  struct Piece {
    /// A row for each of its outputs.
    let left: Matrix<Float>
    /// r x d_in.
    let right: Matrix<Float>
    let scale: Double
    let outputs: [Range<Int>]
  }

  let target: AdapterBase.Target
  private var pieces: [Piece] = []

  init(target: AdapterBase.Target) { self.target = target }

  /// - Returns: false if another piece changes the same outputs.
  mutating func append(_ piece: Piece) -> Bool {
    let known = pieces.flatMap(\.outputs)
    guard !piece.outputs.contains(where: { range in known.contains { $0.overlaps(range) } }) else { return false }
    pieces.append(piece)
    return true
  }

  /// The pieces as one: their terms side by side, and those of equal right factors in one.
  ///
  /// - Throws: an `ErrataError` if pieces of different scales leave the range of float32.
  func module() throws -> LowRankAdapter.Module {
    let first = pieces[0]
    if pieces.count == 1, first.outputs == [0..<target.outputSize] {
      return LowRankAdapter.Module(target: target, left: first.left, right: first.right, scale: first.scale)
    }
    let scale = pieces.map(\.scale).first { $0 != 0 } ?? 0
    var rights: [Matrix<Float>] = []
    var starts: [Int] = []
    for piece in pieces {
      if let shared = rights.firstIndex(where: { $0.elements == piece.right.elements }) {
        starts.append(rights[..<shared].reduce(0) { $0 + $1.rows })
      } else {
        starts.append(rights.reduce(0) { $0 + $1.rows })
        rights.append(piece.right)
      }
    }
    let right = Matrix(
      rows: rights.reduce(0) { $0 + $1.rows }, columns: target.inputSize, elements: rights.flatMap(\.elements))
    var left = Matrix<Double>(rows: target.outputSize, columns: right.rows)
    for (piece, start) in zip(pieces, starts) {
      let factor = scale == 0 ? 1 : piece.scale / scale
      for (row, output) in piece.outputs.joined().enumerated() {
        for term in 0..<piece.right.rows { left[output, start + term] = Double(piece.left[row, term]) * factor }
      }
    }
    return try LowRankAdapter.Module(target: target, rounding: (left, right.widened()), scale: scale)
  }
}
