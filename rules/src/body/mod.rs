//! Body processors: urlencoded forms, multipart, JSON.
