import Safetensors
import Tensors
import TestSupport
import Testing

@Suite struct CheckpointTests {
  let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try directory.write("{}", to: "config.json")
  }

  private func writeShard(_ name: String, _ tensors: ByteString...) throws {
    let value: (DType, Shape, [UInt8]) = (.f32, [1, 1], [0, 0, 0x80, 0x3F])
    try SafetensorsWriter.write(
      Dictionary(uniqueKeysWithValues: tensors.map { ($0, value) }), to: directory(name))
  }

  private func writeIndex(_ map: String) throws {
    try directory.write(#"{"metadata":{"total_size":8},"weight_map":\#(map)}"#, to: "model.safetensors.index.json")
  }

  private func expectError(
    _ category: ErrataError.Kind, _ message: String, path: String? = nil,
    _ location: SourceLocation = #_sourceLocation
  ) {
    #expect(throws: ErrataError(category, message), sourceLocation: location) {
      try Checkpoint(path: path ?? directory.path)
    }
  }

  @Test func opensADirectoryWithOneFile() throws {
    try writeShard("model.safetensors", "a", "b")
    let checkpoint = try Checkpoint(path: directory.path)
    #expect(checkpoint.tensorNames == ["a", "b"])
    #expect(checkpoint.shards.map(\.path) == [directory("model.safetensors")])
    #expect(checkpoint.indexPath == nil)
    #expect(checkpoint.configurationPath == directory("config.json"))
    #expect(try checkpoint.matrix(named: "a")[0, 0] == 1)
    #expect(try checkpoint.digest(of: "a") == checkpoint.tensor(named: "b").digest())
    #expect(throws: ErrataError(.general, "\(directory.path): there is no tensor \"c\"")) {
      try checkpoint.tensor(named: "c")
    }
  }

  @Test func opensABareFile() throws {
    try writeShard("x.safetensors", "a")
    let checkpoint = try Checkpoint(path: directory("x.safetensors"))
    #expect(checkpoint.directory == nil && checkpoint.configurationPath == nil)
    #expect(checkpoint.contains("a") && !checkpoint.contains("b"))
  }

  @Test func opensShards() throws {
    try writeShard("model-2.safetensors", "b")
    try writeShard("model-1.safetensors", "a", "c")
    try writeIndex(#"{"a":"model-1.safetensors","b":"model-2.safetensors","c":"model-1.safetensors"}"#)
    let checkpoint = try Checkpoint(path: directory.path)
    #expect(checkpoint.shards.map(\.path) == [directory("model-1.safetensors"), directory("model-2.safetensors")])
    #expect(try checkpoint.tensor(named: "b").file.path == directory("model-2.safetensors"))
    #expect(checkpoint.indexPath == directory("model.safetensors.index.json"))
  }

  @Test func saysWhatIsMissing() throws {
    let path = directory.path
    expectError(
      .general, "\(path)/none: no such file or directory; give a checkpoint directory or a .safetensors file",
      path: path + "/none")
    expectError(
      .general,
      "\(path): there is neither model.safetensors nor model.safetensors.index.json; convert the checkpoint to "
        + "safetensors first")
    let bare = try TemporaryDirectory()
    expectError(
      .general, "\(bare.path): there is no config.json; is this a checkpoint directory?", path: bare.path)
  }

  @Test func refusesContradictoryIndices() throws {
    let index = directory("model.safetensors.index.json")
    try writeShard("s1", "a")
    try writeShard("s2", "a", "b")
    try writeIndex(#"{"b":"s3"}"#)
    expectError(.damagedInput, "\(index): shard \"s3\" is not there; fetch the rest of the checkpoint")
    try writeIndex(#"{"b":"s1"}"#)
    expectError(.damagedInput, "\(index): tensor \"b\" is not in shard \"s1\"")
    try writeIndex(#"{"a":"s1","b":"s2"}"#)
    expectError(.damagedInput, "\(directory.path): tensor \"a\" is in two shards, s1 and s2")
    for map in ["[]", #"{"a":1}"#] {
      try writeIndex(map)
      expectError(.damagedInput, "\(index): weight_map is not an object of file names")
    }
  }

  @Test(arguments: ["../x", "/etc/passwd", "a/b", "..", "."]) func refusesShardsElsewhere(_ shard: String) throws {
    try writeIndex(#"{"a":"\#(shard)"}"#)
    expectError(
      .damagedInput,
      "\(directory("model.safetensors.index.json")): shard \"\(shard)\" is not a plain file name; shards must lie "
        + "beside the index")
  }
}
