import Tensors

/// The tokens as `tokenizer.json` spells them, and their ids.
struct Vocabulary: Sendable {
  /// Ids index arrays, so one absurd id in a file must not ask for gigabytes.
  static let maximumID = 1 << 24 - 1

  private var table: ByteTable
  /// By index in the table.
  private var ids: [Int32] = []
  /// Index in the table by id; -1 where an id is not used.
  private var indices: [Int32] = []

  init(minimumCapacity: Int = 32) {
    table = ByteTable(minimumCapacity: minimumCapacity)
  }

  /// How many tokens there are.
  var count: Int { ids.count }
  /// One more than the largest id.
  var idLimit: Int { indices.count }

  func id(of token: UnsafeBufferPointer<UInt8>) -> Int32? {
    table.index(of: token).map { ids[$0] }
  }

  func id(of token: [UInt8]) -> Int32? {
    token.withUnsafeBufferPointer { id(of: $0) }
  }

  func token(of id: Int32) -> ArraySlice<UInt8>? {
    guard id >= 0, id < indices.count, indices[Int(id)] >= 0 else { return nil }
    return table[Int(indices[Int(id)])]
  }

  /// Adds a token, or gives one that is there a second id, which then is the one that is found.
  ///
  /// - Precondition: `0 <= id <= maximumID`, and no token has the id.
  mutating func insertAgain(_ token: [UInt8], id: Int) {
    if insert(token, id: id) { return }
    let index = token.withUnsafeBufferPointer { table.index(of: $0)! }
    makeRoom(for: id)
    indices[id] = Int32(index)
    ids[index] = Int32(id)
  }

  private mutating func makeRoom(for id: Int) {
    if id >= indices.count { indices.append(contentsOf: repeatElement(-1, count: id + 1 - indices.count)) }
  }

  /// Adds a token; false, and no change, if the token or the id is there already.
  ///
  /// - Precondition: `0 <= id <= maximumID`.
  mutating func insert(_ token: [UInt8], id: Int) -> Bool {
    precondition(0...Self.maximumID ~= id)
    if id < indices.count, indices[id] >= 0 { return false }
    guard token.withUnsafeBufferPointer({ table.insert($0) }) else { return false }
    makeRoom(for: id)
    indices[id] = Int32(ids.count)
    ids.append(Int32(id))
    return true
  }
}

extension Vocabulary {
  /// Reads `model.vocab`.
  ///
  /// - Throws: an `ErrataError` if there is no vocabulary, or two tokens have one id, or an id is out of range.
  init(_ section: Section) throws {
    guard let object = section.value.objectValue, object.count > 0 else {
      throw ErrataError.noVocabulary(file: section.file, field: section.name)
    }
    self.init(minimumCapacity: object.count + object.count / 8)
    for (token, value) in object.members {
      guard let id = value.integerValue, 0...Self.maximumID ~= id else {
        throw ErrataError.tokenIDOutOfRange(file: section.file, field: section.name, token: token)
      }
      guard insert(token.bytes, id: id) else {
        throw ErrataError.sharedTokenID(file: section.file, field: section.name, token: token, id: id)
      }
    }
  }
}
