"""Cannot be imported."""

print("the import begins")
raise ValueError("no such luck")
