/** What is asked before principals, keys, tokens and their policies are read or changed. Policies name them as IAM does. */
export const identityActions = {
  listUsers: 'iam:ListUsers',
  getUser: 'iam:GetUser',
  createUser: 'iam:CreateUser',
  deleteUser: 'iam:DeleteUser',
  listUserTags: 'iam:ListUserTags',
  tagUser: 'iam:TagUser',
  untagUser: 'iam:UntagUser',
  listGroupsForUser: 'iam:ListGroupsForUser',
  listAccessKeys: 'iam:ListAccessKeys',
  createAccessKey: 'iam:CreateAccessKey',
  updateAccessKey: 'iam:UpdateAccessKey',
  accessKeyLastUsed: 'iam:GetAccessKeyLastUsed',
  deleteAccessKey: 'iam:DeleteAccessKey',
  /** IAM has no named tokens; its service credentials are the nearest. */
  listTokens: 'iam:ListServiceSpecificCredentials',
  createToken: 'iam:CreateServiceSpecificCredential',
  deleteToken: 'iam:DeleteServiceSpecificCredential',
  listUserPolicies: 'iam:ListUserPolicies',
  getUserPolicy: 'iam:GetUserPolicy',
  putUserPolicy: 'iam:PutUserPolicy',
  deleteUserPolicy: 'iam:DeleteUserPolicy',
  /** `access can` and the audit, of the caller's own account. */
  simulatePolicy: 'iam:SimulatePrincipalPolicy',
  readAudit: 'cloudtrail:LookupEvents',
} as const;

export type IdentityAction = (typeof identityActions)[keyof typeof identityActions];
