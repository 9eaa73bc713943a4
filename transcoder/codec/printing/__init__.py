"""Messages to ProtoJSON, by functions compiled from the shapes of their types."""
