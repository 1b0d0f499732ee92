import Safetensors
import Tensors
import WeightPatch

/// A tensor that is not what it should be.
struct DigestMismatch: Sendable {
  let tensor: ByteString
  let expected: Digest
  let found: Digest

  /// Those of some tensors that are not what they should be, in order of name.
  static func all(_ expected: [ByteString: Digest], found: (ByteString) throws -> Digest) rethrows -> [DigestMismatch] {
    try expected.sorted { $0.key < $1.key }.compactMap { name, expected in
      let found = try found(name)
      return found == expected ? nil : DigestMismatch(tensor: name, expected: expected, found: found)
    }
  }
}

/// Patches that were made for another base than the one at hand, with the tensors in which it differs.
public struct BaseMisfit: Sendable {
  let patches: [String]
  let tensors: [DigestMismatch]
  /// Those of them that the checkpoint stores in another type.
  private(set) var types: [ByteString: TypeMismatch] = [:]
  private let base: Manifest.Base

  /// A tensor in another type than the one that a patch was made for.
  struct TypeMismatch: Sendable {
    let expected: DType
    let found: DType
    /// Whether its values, converted, are those that the patch was made for.
    let isConverted: Bool
  }

  /// - Parameters:
  ///   - patches: the paths of patches with one base, for messages.
  ///   - base: what they were made for.
  ///   - found: the digest of a tensor of the base at hand.
  /// - Returns: nil if it is the one.
  public init?(_ patches: [String], _ base: Manifest.Base, found: (ByteString) throws -> Digest) rethrows {
    self.patches = patches
    self.base = base
    tensors = try DigestMismatch.all(base.tensors.mapValues(\.digest), found: found)
    if tensors.isEmpty { return nil }
  }

  /// With what is only another type told apart from other values: the same model is often stored in more than one.
  ///
  /// - Throws: an `ErrataError` if the checkpoint lacks a tensor.
  public func comparingTypes(with checkpoint: Checkpoint) throws -> BaseMisfit {
    var misfit = self
    for mismatch in tensors {
      let (tensor, described) = (try checkpoint.tensor(named: mismatch.tensor), base.tensors[mismatch.tensor]!)
      guard tensor.dtype != described.dtype, tensor.dtype.isWeightType else { continue }
      misfit.types[mismatch.tensor] = TypeMismatch(
        expected: described.dtype, found: tensor.dtype,
        isConverted: tensor.digest(convertedTo: described.dtype) == mismatch.expected)
    }
    return misfit
  }

  /// The types, if nothing but the type is another one, and the same everywhere.
  var onlyType: TypeMismatch? {
    guard let first = types.values.first, types.count == tensors.count,
      types.values.allSatisfy({ $0.isConverted && $0.expected == first.expected && $0.found == first.found })
    else { return nil }
    return first
  }
}

extension Checkpoint {
  /// That what a patch says of the type of a tensor is what the tensor's digest is made of.
  ///
  /// - Parameter bases: the digests of the tensors without any patch.
  /// - Throws: an `ErrataError` (damaged input).
  func checkTypes(_ path: String, _ base: Manifest.Base, bases: [ByteString: Digest]) throws {
    for (name, described) in base.tensors.sorted(by: { $0.key < $1.key }) where bases[name] == described.digest {
      let found = try tensor(named: name).dtype
      guard found == described.dtype else { throw ErrataError.typeOfAnotherDigest(path, name, described.dtype, found) }
    }
  }

  /// That every tensor that some patches edit is there, of a type that can be edited, and of the right shape.
  ///
  /// - Parameter patches: the paths of patches, for messages, with what they were made for.
  /// - Throws: an `ErrataError` (base mismatch) that names every tensor of which that is not so.
  public func checkShapes(_ patches: [(paths: [String], base: Manifest.Base)]) throws {
    let misfits = try patches.map { paths, base in
      let tensors = base.tensors.sorted { $0.key < $1.key }
      return (paths: paths, problems: try tensors.compactMap { try problem(of: $0, wanted: $1.shape) })
    }.filter { !$0.problems.isEmpty }
    guard misfits.isEmpty else {
      throw quantization.map { ErrataError.quantizedBase(path, $0) } ?? ErrataError.anotherModel(misfits, path)
    }
  }

  /// How `config.json` says that the weights are quantized: `gptq`, `awq`, `bitsandbytes`, ...; nil if it does not.
  private var quantization: String? {
    guard let configurationPath, let found = try? JSON.parse(contentsOf: configurationPath)["quantization_config"],
      found.objectValue != nil
    else { return nil }
    return found["quant_method"]?.stringValue ?? "quantized"
  }

  private func problem(of name: ByteString, wanted: Shape) throws -> String? {
    guard contains(name) else { return "\(name) is missing" }
    let tensor = try tensor(named: name)
    guard StoredFormat(tensor.dtype) != nil else {
      return "\(name) is stored as \(tensor.dtype.rawValue), not as BF16, F16 or F32"
    }
    return tensor.shape == wanted ? nil : "\(name) has shape \(tensor.shape), not \(wanted)"
  }
}
