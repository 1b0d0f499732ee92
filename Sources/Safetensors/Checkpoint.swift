import Foundation
import Tensors

/// A model's weights on disk: a directory with `config.json` and either `model.safetensors` or
/// `model.safetensors.index.json` with its shards; or one bare `.safetensors` file.
///
/// Opening reads the headers only. If a directory has both a single file and an index, the single file counts, as in
/// the Hugging Face libraries.
public struct Checkpoint: Sendable {
  /// As given.
  public let path: String
  /// nil for a bare file.
  public let directory: String?
  /// The path of the index; nil for a checkpoint that is not sharded.
  public let indexPath: String?
  /// In order of file name; one for a checkpoint that is not sharded.
  public let shards: [SafetensorsFile]
  private let shardOfTensor: [ByteString: Int]

  /// - Throws: an `ErrataError` if something is missing, damaged or contradictory: a shard or a tensor that the index
  ///   names is not there, a tensor is in two shards, or the index names a file outside of the directory.
  public init(path: String) throws {
    self.path = path
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw ErrataError.danglingLink(path) ?? ErrataError.noCheckpoint(path)
    }
    directory = isDirectory.boolValue ? path : nil
    let weightPath = try directory.map(Self.weightPath) ?? path
    if isDirectory.boolValue, weightPath.hasSuffix(Self.indexName) {
      indexPath = weightPath
      let map = try Self.weightMap(weightPath)
      shards = try Self.openShards(Set(map.map(\.shard)), directory: path, indexPath: weightPath)
      shardOfTensor = try Self.shardOfTensor(shards, path: path)
      try checkIndex(map, indexPath: weightPath)
    } else {
      indexPath = nil
      shards = [try SafetensorsFile(path: weightPath)]
      if CheckpointFolder.isAdapter(shards[0].header) { throw ErrataError.adapterFile(weightPath) }
      shardOfTensor = try Self.shardOfTensor(shards, path: path)
    }
  }

  /// Every tensor's name, sorted bytewise.
  public var tensorNames: [ByteString] { shardOfTensor.keys.sorted() }

  /// `config.json`; nil for a bare file.
  public var configurationPath: String? { directory.map { $0 + "/" + Self.configurationName } }

  public func contains(_ name: ByteString) -> Bool { shardOfTensor[name] != nil }

  /// - Throws: an `ErrataError` if the checkpoint has no such tensor.
  public func tensor(named name: ByteString) throws -> StoredTensor {
    guard let shard = shardOfTensor[name] else { throw ErrataError.noTensor(path, name) }
    return try shards[shard].tensor(named: name)
  }

  /// The tensor in float32: a vector as one row, a matrix as it is stored.
  public func matrix(named name: ByteString) throws -> Matrix<Float> {
    try tensor(named: name).matrix()
  }

  /// SHA-256 over dtype, shape and bytes (Spec: tensor digest). Reads the whole tensor.
  public func digest(of name: ByteString) throws -> Digest {
    try tensor(named: name).digest()
  }
}

// MARK: - The parts of a directory

extension Checkpoint {
  static let configurationName = "config.json"
  static let singleFileName = "model.safetensors"
  static let indexName = "model.safetensors.index.json"

  /// The file that says where the weights are: the single file or the index.
  private static func weightPath(_ directory: String) throws -> String {
    func path(_ name: String) throws -> String? {
      let path = "\(directory)/\(name)"
      if let error = ErrataError.danglingLink(path) { throw error }
      return FileManager.default.fileExists(atPath: path) ? path : nil
    }
    guard try path(configurationName) != nil else {
      throw CheckpointFolder.explanation(directory) ?? ErrataError.noConfiguration(directory)
    }
    guard let found = try path(singleFileName) ?? path(indexName) else {
      throw CheckpointFolder.explanation(directory) ?? ErrataError.noWeights(directory)
    }
    return found
  }

  private static func openShards(
    _ names: Set<ByteString>, directory: String, indexPath: String
  ) throws -> [SafetensorsFile] {
    try names.sorted().map { name in
      guard FileManager.default.fileExists(atPath: "\(directory)/\(name)") else {
        throw ErrataError.danglingLink("\(directory)/\(name)") ?? ErrataError.missingShard(indexPath, name)
      }
      return try SafetensorsFile(path: "\(directory)/\(name)")
    }
  }

  /// The index's `weight_map`: which shard, a plain file name, holds which tensor.
  private static func weightMap(_ indexPath: String) throws -> [(tensor: ByteString, shard: ByteString)] {
    let index = try JSON.parse(contentsOf: indexPath, maximumValueCount: SafetensorsHeader.maximumValueCount)
    guard let map = index["weight_map"]?.objectValue else { throw ErrataError.indexWithoutMap(indexPath) }
    return try map.members.map { tensor, value in
      guard let shard = value.bytesValue else { throw ErrataError.indexWithoutMap(indexPath) }
      // An index is input: it must not make a tool read, or rewrite, a file elsewhere.
      guard !shard.bytes.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 }), !["", ".", ".."].contains(shard)
      else { throw ErrataError.shardOutsideCheckpoint(indexPath, shard) }
      return (tensor, shard)
    }
  }

  private static func shardOfTensor(_ shards: [SafetensorsFile], path: String) throws -> [ByteString: Int] {
    var result: [ByteString: Int] = [:]
    for (position, shard) in shards.enumerated() {
      for tensor in shard.header.tensors {
        if let other = result.updateValue(position, forKey: tensor.name) {
          throw ErrataError.tensorInTwoShards(
            path, tensor.name, fileName(shards[other].path), fileName(shard.path))
        }
      }
    }
    return result
  }

  private func checkIndex(_ map: [(tensor: ByteString, shard: ByteString)], indexPath: String) throws {
    for (tensor, shard) in map {
      guard let found = shardOfTensor[tensor], Self.fileName(shards[found].path) == shard.description else {
        throw ErrataError.indexedTensorMissing(indexPath, tensor, shard: shard)
      }
    }
  }

  private static func fileName(_ path: String) -> String { String(path.split(separator: "/").last ?? "") }
}
