import Tensors
import Testing

@Suite struct JSONObjectTests {
  @Test func setsInOrder() {
    var object = JSONObject(["b": 1, "a": 2])
    object["b"] = 3
    object["c"] = 4
    #expect(object.keys == ["b", "a", "c"])
    #expect(object["b"] == 3)
  }

  @Test func refusesADuplicateWithoutChange() {
    var object = JSONObject()
    let first = object.append("a", 1)
    let second = object.append("b", 2)
    let duplicate = object.append("a", 3)
    #expect(first && second && !duplicate)
    #expect(object.count == 2)
    #expect(object["a"] == 1)
    let third = object.append("c", 4)
    #expect(third)
    #expect(object["a"] == 1)
    #expect(object["c"] == 4)
  }

  /// Few keys are looked up in another way than many.
  @Test(arguments: [1, 7, 8, 9, 32, 33, 5000]) func findsEachOfManyKeys(count: Int) {
    var object = JSONObject()
    for number in 0..<count {
      let isNew = object.append(ByteString("\(number)"), .integer(number))
      let isNewAgain = object.append(ByteString("\(number / 2)"), .null)
      #expect(isNew && !isNewAgain)
    }
    #expect(object.count == count && object.keys == (0..<count).map { ByteString("\($0)") })
    for number in 0..<count { #expect(object[ByteString("\(number)")] == .integer(number)) }
    #expect(object[ByteString("\(count)")] == nil && object[""] == nil)
    object["0"] = "set"
    #expect(object.count == count && object["0"] == "set")
  }

  @Test func valuesByKind() {
    let values: [(JSON, String)] = [
      (.null, "null"), (true, "a boolean"), (1, "a number"), (1.5, "a number"), ("x", "a string"), ([], "an array"),
      ([:], "an object"),
    ]
    for (value, kind) in values {
      #expect(value.kind == kind)
      #expect(value.isNull == (kind == "null"))
      #expect((value.boolValue != nil) == (kind == "a boolean"))
      #expect((value.doubleValue != nil) == (kind == "a number"))
      #expect((value.stringValue != nil) == (kind == "a string"))
      #expect((value.arrayValue != nil) == (kind == "an array"))
      #expect((value.objectValue != nil) == (kind == "an object"))
    }
    #expect((1 as JSON).integerValue == 1)
    #expect((1.0 as JSON).integerValue == nil)
    #expect((1 as JSON)["a"] == nil)
  }
}
