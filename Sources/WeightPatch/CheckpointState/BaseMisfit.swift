import Safetensors
import Tensors

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

  /// - Parameters:
  ///   - patches: the paths of patches with one base, for messages.
  ///   - base: what they were made for.
  ///   - found: the digest of a tensor of the base at hand.
  /// - Returns: nil if it is the one.
  public init?(_ patches: [String], _ base: Manifest.Base, found: (ByteString) throws -> Digest) rethrows {
    self.patches = patches
    tensors = try DigestMismatch.all(base.tensors.mapValues(\.digest), found: found)
    if tensors.isEmpty { return nil }
  }
}

extension Checkpoint {
  /// That every tensor that some patches edit is there, of a type that can be edited, and of the right shape.
  ///
  /// - Parameter patches: the paths of patches, for messages, with what they were made for.
  /// - Throws: an `ErrataError` (base mismatch) that names every tensor of which that is not so.
  public func checkShapes(_ patches: [(paths: [String], base: Manifest.Base)]) throws {
    let misfits = try patches.map { paths, base in
      let tensors = base.tensors.sorted { $0.key < $1.key }
      return (paths: paths, problems: try tensors.compactMap { try problem(of: $0, wanted: $1.shape) })
    }.filter { !$0.problems.isEmpty }
    guard misfits.isEmpty else { throw ErrataError.anotherModel(misfits, path) }
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
