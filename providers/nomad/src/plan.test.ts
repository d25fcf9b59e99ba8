import { expect, test } from "vitest";
import { changesOf } from "./plan.ts";

test("a change stands at the path that the job file has", () => {
  expect(
    changesOf({
      Type: "Edited",
      Name: "",
      Fields: [
        { Type: "Edited", Name: "Priority" },
        { Type: "None", Name: "Region" },
      ],
      Objects: [
        { Type: "Added", Name: "Constraint", Fields: [{ Type: "Added", Name: "LTarget" }] },
        { Type: "None", Name: "Update", Fields: [{ Type: "Edited", Name: "never" }] },
      ],
      TaskGroups: [
        {
          Type: "Edited",
          Name: "web",
          Fields: [{ Type: "Edited", Name: "Count" }],
          Tasks: [
            {
              Type: "Edited",
              Name: "http server",
              Fields: [{ Type: "Added", Name: "Env[NAME]" }],
              Objects: [{ Type: "Edited", Name: "Config", Fields: [{ Type: "Deleted", Name: "args[0]" }] }],
            },
          ],
        },
      ],
    }),
  ).toEqual({
    Priority: "update",
    "Constraint.LTarget": "add",
    "group.web.Count": "update",
    'group.web.task["http server"]["Env[NAME]"]': "add",
    'group.web.task["http server"].Config["args[0]"]': "delete",
  });
});

test("a group or task that comes or goes is one change", () => {
  const fields = [{ Type: "Added" as const, Name: "Driver" }];
  expect(
    changesOf({
      Type: "Edited",
      Name: "",
      TaskGroups: [
        { Type: "Added", Name: "new", Fields: fields, Tasks: [{ Type: "Added", Name: "a", Fields: fields }] },
        { Type: "Deleted", Name: "old", Fields: fields },
        { Type: "Edited", Name: "web", Tasks: [{ Type: "Deleted", Name: "b", Fields: fields }] },
      ],
    }),
  ).toEqual({ "group.new": "add", "group.old": "delete", "group.web.task.b": "delete" });
});

test("no difference, no change", () => {
  expect(changesOf({ Type: "None", Name: "", TaskGroups: null })).toEqual({});
});
