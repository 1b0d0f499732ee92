import Tensors

/// What is wrong with a safetensors file or a checkpoint, in words. `source` is the file's path.
extension ErrataError {
  // MARK: One file

  static func tooShort(_ source: String, byteCount: Int) -> ErrataError {
    ErrataError(
      .damagedInput, source, "\(byteCount) bytes are too few for a safetensors file", remedy: "fetch it again")
  }

  static func headerTooLarge(_ source: String, byteCount: UInt64) -> ErrataError {
    ErrataError(
      .damagedInput, source,
      "the header claims \(byteCount) bytes, more than the \(SafetensorsHeader.maximumByteCount) that are "
        + "allowed; this is not a safetensors file, or it is damaged")
  }

  static func headerTruncated(_ source: String, expected: Int, found: Int) -> ErrataError {
    ErrataError(
      .damagedInput, source, "truncated: the header alone needs \(expected) bytes, the file has \(found)",
      remedy: "fetch it again")
  }

  static func headerNotAnObject(_ source: String) -> ErrataError {
    ErrataError(.damagedInput, source, "the header does not begin with '{'; this is not a safetensors file")
  }

  static func headerNotJSON(_ source: String, _ error: JSONSyntaxError) -> ErrataError {
    ErrataError(.damagedInput, source, "the header is not valid JSON at byte \(error.offset)", cause: error.reason)
  }

  static func metadataNotStrings(_ source: String) -> ErrataError {
    ErrataError(.damagedInput, source, "__metadata__ is not an object of strings")
  }

  static func tensorField(_ source: String, _ name: ByteString, _ field: String, expected: String) -> ErrataError {
    ErrataError(.damagedInput, source, "tensor \"\(name)\": \(field) is not \(expected)")
  }

  static func unknownDType(_ source: String, _ name: ByteString, _ dtype: String) -> ErrataError {
    ErrataError(.damagedInput, source, "tensor \"\(name)\": unknown dtype \"\(dtype)\"")
  }

  static func tensorTooLarge(_ source: String, _ name: ByteString, _ dtype: DType, _ shape: Shape) -> ErrataError {
    ErrataError(
      .damagedInput, source,
      "tensor \"\(name)\": \(dtype.rawValue) \(shape) is not a whole, countable number of bytes")
  }

  static func tensorSizeDiffers(
    _ source: String, _ name: ByteString, expected: Int, found: Int
  ) -> ErrataError {
    ErrataError(
      .damagedInput, source, "tensor \"\(name)\": dtype and shape need \(expected) bytes, data_offsets give \(found)")
  }

  static func tensorNotContiguous(
    _ source: String, _ name: ByteString, expected: Int, found: Int
  ) -> ErrataError {
    ErrataError(
      .damagedInput, source,
      "tensor \"\(name)\" begins at data byte \(found), but the tensors before it end at \(expected): "
        + (found < expected ? "they overlap" : "there is a hole"))
  }

  static func fileSizeDiffers(_ source: String, expected: Int, found: Int) -> ErrataError {
    found < expected
      ? ErrataError(
        .damagedInput, source, "truncated: the header describes \(expected) bytes, the file has \(found)",
        remedy: "fetch it again")
      : ErrataError(
        .damagedInput, source, "\(found - expected) bytes follow the last tensor", remedy: "fetch the file again")
  }

  static func noTensor(_ source: String, _ name: ByteString) -> ErrataError {
    ErrataError(.general, source, "there is no tensor \"\(name)\"")
  }

  static func wrongTensorType(
    _ source: String, _ name: ByteString, _ dtype: DType, _ shape: Shape, expected: String
  ) -> ErrataError {
    ErrataError(.general, source, "tensor \"\(name)\" is \(dtype.rawValue) \(shape); \(expected) is needed")
  }

  // MARK: Writing

  static func duplicateTensor(_ source: String, _ name: ByteString) -> ErrataError {
    ErrataError(.general, source, "tensor \"\(name)\" is declared twice")
  }

  static func reservedName(_ source: String) -> ErrataError {
    ErrataError(.general, source, "a tensor cannot be named \"__metadata__\"")
  }

  // MARK: Checkpoints

  static func noCheckpoint(_ path: String) -> ErrataError {
    // What looks like a model's name may be meant as one.
    let isName = HubCache.isName(path) && path.contains("/")
    let cache = isName ? ", nor a model of that name in the cache, \(HubCache.folder)" : ""
    return ErrataError(
      .general, path, "no such file or directory\(cache)",
      remedy: "give a checkpoint directory or a .safetensors file")
  }

  static func noConfiguration(_ directory: String) -> ErrataError {
    ErrataError(.general, directory, "there is no config.json", remedy: "is this a checkpoint directory?")
  }

  static func noWeights(_ directory: String) -> ErrataError {
    ErrataError(
      .general, directory, "there is neither model.safetensors nor model.safetensors.index.json",
      remedy: "convert the checkpoint to safetensors first")
  }

  static func adapterFolder(_ directory: String) -> ErrataError {
    ErrataError(
      .general, directory, "holds a PEFT adapter, not a checkpoint", remedy: .importAdapter)
  }

  static func adapterFile(_ path: String) -> ErrataError {
    ErrataError(
      .general, path, "is a PEFT adapter, not a checkpoint", remedy: .importAdapter)
  }

  static func shardsWithoutIndex(_ directory: String, _ shard: String) -> ErrataError {
    ErrataError(
      .general, directory, "has shards (\(shard)), but no model.safetensors.index.json, which says what is in them",
      remedy: "fetch it")
  }

  static func weightsUnderOtherName(_ directory: String, _ name: String) -> ErrataError {
    ErrataError(
      .general, directory, "has no model.safetensors, but \(name)",
      remedy: "rename it or link it, if these are the weights to use")
  }

  static func weightsInOtherFormat(_ directory: String, _ name: String) -> ErrataError {
    ErrataError(
      .general, directory, "its weights are not in safetensors (\(name))",
      remedy: "convert the checkpoint to safetensors first")
  }

  static func indexWithoutMap(_ path: String) -> ErrataError {
    ErrataError(.damagedInput, path, "weight_map is not an object of file names")
  }

  static func shardOutsideCheckpoint(_ path: String, _ shard: ByteString) -> ErrataError {
    ErrataError(.damagedInput, path, "shard \"\(shard)\" is not a plain file name; shards must lie beside the index")
  }

  static func missingShard(_ path: String, _ shard: ByteString) -> ErrataError {
    ErrataError(.damagedInput, path, "shard \"\(shard)\" is not there", remedy: "fetch the rest of the checkpoint")
  }

  static func indexedTensorMissing(_ path: String, _ name: ByteString, shard: ByteString) -> ErrataError {
    ErrataError(.damagedInput, path, "tensor \"\(name)\" is not in shard \"\(shard)\"")
  }

  static func tensorInTwoShards(_ path: String, _ name: ByteString, _ first: String, _ second: String) -> ErrataError {
    ErrataError(.damagedInput, path, "tensor \"\(name)\" is in two shards, \(first) and \(second)")
  }
}
